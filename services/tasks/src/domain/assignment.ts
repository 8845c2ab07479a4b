import { problem } from '@taskwire/errors';
import { changeOf, noChange, type Change, type Grounds, type LogEntry } from './change.ts';
import type { Task, TaskState } from './task.ts';

/** The fields of a task that assignment needs. */
type Assignable = Pick<Task, 'state' | 'assignee_id'>;

const assignable: readonly TaskState[] = ['draft', 'assigned', 'in_progress'];

/** @throws Problem `illegal_transition` when the task is completed or cancelled. */
export function requireAssignable(task: Assignable): void {
  if (!assignable.includes(task.state)) {
    throw problem(
      'illegal_transition',
      `A task that is ${task.state} has ended and cannot be assigned; create another task.`,
    );
  }
}

/**
 * Assigns the task to a performer, unassigning the previous one first. A task in progress starts over with the new
 * assignee: its state is `assigned` again. Assigning it to its current assignee changes nothing.
 */
export function assign(task: Assignable, performerId: string, grounds: Grounds): Change {
  requireAssignable(task);
  if (task.assignee_id === performerId) return noChange;
  const { choice: _, ...ofUnassignment } = grounds;
  return changeOf(task, { state: 'assigned', assignee_id: performerId, awaiting_performer: false }, [
    ...unassignment(task, ofUnassignment),
    { action: 'assigned', field: 'assignee_id', from: null, to: performerId, ...grounds },
  ]);
}

/** Turns an open task without an eligible performer into an unassigned draft that awaits one. */
export function awaitPerformer(task: Assignable, reason: string): Change {
  const set = { state: 'draft', assignee_id: null, awaiting_performer: true } as const;
  return changeOf(task, set, unassignment(task, { reason }));
}

/** The activity entry of unassigning a task; none for an unassigned task. */
export function unassignment({ assignee_id }: Assignable, grounds: Grounds): LogEntry[] {
  if (assignee_id === null) return [];
  return [{ action: 'unassigned', field: 'assignee_id', from: assignee_id, to: null, ...grounds }];
}
