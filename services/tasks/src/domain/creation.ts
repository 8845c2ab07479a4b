import { assign } from './assignment.ts';
import { changeOf, type Change, type Grounds } from './change.ts';

/** The grounds when a user chose the performer, or when the task needs none yet. */
export const byUser: Grounds = Object.freeze({ reason: null });

/** The grounds of a task that awaits a performer, because none was available. `taskAt` recognises such a task by them. */
export const noPerformerAvailable: Grounds = Object.freeze({ reason: 'no performer is available' });

/** The events and activity entries of a new task, including its assignment if it has a performer. */
export function creation(performerId: string | null, grounds: Grounds): Pick<Change, 'events' | 'log'> {
  const draft = { state: 'draft', assignee_id: null } as const;
  const assigned = performerId === null ? [] : assign(draft, performerId, grounds).log;
  const { reason } = performerId === null ? grounds : byUser;
  return changeOf(draft, {}, [{ action: 'created', field: null, from: null, to: null, reason }, ...assigned]);
}
