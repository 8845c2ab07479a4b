import { assign } from './assignment.ts';
import type { Change } from './change.ts';

/**
 * The events and activity entries of a new task, including its assignment if it has a performer. `reason` is why that
 * performer was chosen, see `assign`.
 */
export function creation(performerId: string | null, reason: string | null): Pick<Change, 'events' | 'log'> {
  const assigned =
    performerId === null ? { events: [], log: [] } : assign({ state: 'draft', assignee_id: null }, performerId, reason);
  return {
    events: [{ type: 'tasks.task.created' }, { type: 'tasks.task.changed' }, ...assigned.events],
    log: [{ action: 'created', field: null, from: null, to: null, reason: null }, ...assigned.log],
  };
}
