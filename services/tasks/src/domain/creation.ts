import { assign } from './assignment.ts';
import type { Change } from './change.ts';

/** What a new task tells and remembers; with a performer also that it was assigned. `reason` is why that person, see `assign`. */
export function creation(performerId: string | null, reason: string | null): Pick<Change, 'events' | 'log'> {
  const assigned =
    performerId === null ? { events: [], log: [] } : assign({ state: 'draft', assignee_id: null }, performerId, reason);
  return {
    events: [{ type: 'tasks.task.created' }, { type: 'tasks.task.changed' }, ...assigned.events],
    log: [{ action: 'created', field: null, from: null, to: null, reason: null }, ...assigned.log],
  };
}
