import { assign } from './assignment.ts';
import { changeOf, type Change } from './change.ts';

/**
 * The events and activity entries of a new task, including its assignment if it has a performer. `reason` is why that
 * performer was chosen, see `assign`.
 */
export function creation(performerId: string | null, reason: string | null): Pick<Change, 'events' | 'log'> {
  const draft = { state: 'draft', assignee_id: null } as const;
  const assigned = performerId === null ? [] : assign(draft, performerId, reason).log;
  return changeOf(draft, {}, [{ action: 'created', field: null, from: null, to: null, reason: null }, ...assigned]);
}
