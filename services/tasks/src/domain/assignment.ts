import { problem } from '@taskwire/errors';
import { noChange, type Change, type LogEntry, type TaskEvent } from './change.ts';
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
 * assignee: its state is `assigned` again. Assigning it to its current assignee changes nothing. `reason` is why this
 * performer was chosen automatically; it is null when a user chose them.
 */
export function assign(task: Assignable, performerId: string, reason: string | null): Change {
  requireAssignable(task);
  if (task.assignee_id === performerId) return noChange;
  const taken = take(task, reason);
  return {
    set: { state: 'assigned', assignee_id: performerId, awaiting_performer: false },
    events: [...taken.events, { type: 'tasks.task.assigned', assigned_to: performerId }],
    log: [...taken.log, { action: 'assigned', field: 'assignee_id', from: null, to: performerId, reason }],
  };
}

/** Turns an open task without an eligible performer into an unassigned draft that awaits one. */
export function awaitPerformer(task: Assignable, reason: string): Change {
  return { set: { state: 'draft', assignee_id: null, awaiting_performer: true }, ...take(task, reason) };
}

/** The events and activity entries of unassigning a task; empty for an unassigned task. */
export function take(task: Assignable, reason: string | null): { events: TaskEvent[]; log: LogEntry[] } {
  const { assignee_id } = task;
  if (assignee_id === null) return { events: [], log: [] };
  return {
    events: [{ type: 'tasks.task.unassigned', unassigned_from: assignee_id }],
    log: [{ action: 'unassigned', field: 'assignee_id', from: assignee_id, to: null, reason }],
  };
}
