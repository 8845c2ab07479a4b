import { problem } from '@taskwire/errors';
import { noChange, type Change, type LogEntry, type TaskEvent } from './change.ts';
import type { Task, TaskState } from './task.ts';

/** As much of a task as assigning looks at. */
type Assignable = Pick<Task, 'state' | 'assignee_id'>;

const assignable: readonly TaskState[] = ['draft', 'assigned', 'in_progress'];

/** @throws Problem `illegal_transition` for a task that has ended. */
export function requireAssignable(task: Assignable): void {
  if (!assignable.includes(task.state)) {
    throw problem(
      'illegal_transition',
      `A task that is ${task.state} has ended and cannot be assigned; create another task.`,
    );
  }
}

/**
 * Gives the task to a performer, taking it from the one who had it. Work that had begun begins anew with the other person: the task
 * is `assigned` again. Giving it to whoever has it changes nothing. `reason` is why this person, null when somebody chose them.
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

/** Takes an open task from a performer when there is nobody to give it to: a draft that waits for one. */
export function awaitPerformer(task: Assignable, reason: string): Change {
  return { set: { state: 'draft', assignee_id: null, awaiting_performer: true }, ...take(task, reason) };
}

/** Taking a task from the performer who has it, as told and logged; nothing for a task without one. */
export function take(task: Assignable, reason: string | null): { events: TaskEvent[]; log: LogEntry[] } {
  const { assignee_id } = task;
  if (assignee_id === null) return { events: [], log: [] };
  return {
    events: [{ type: 'tasks.task.unassigned', unassigned_from: assignee_id }],
    log: [{ action: 'unassigned', field: 'assignee_id', from: assignee_id, to: null, reason }],
  };
}
