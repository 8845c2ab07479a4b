import { fieldProblem, problem } from '@taskwire/errors';
import { requireTaskOfPeople } from '../job-task.ts';
import { authorize } from '../permissions.ts';
import { hasEnded, type ActedTask, type Actor, type Task } from '../task.ts';
import { mostBlockers } from './limits.ts';

/** How many blockers the blocked task has, and how many tasks the blocker blocks. */
export type DependencyCounts = { blockers: number; blocked: number };

/** The event and the activity entry of a change of a dependency. The blocked task and its version stay the same. */
export type DependencyChange = {
  event: { type: 'tasks.task.blocker_added' | 'tasks.task.blocker_removed'; blocker_uuid: string };
  entry: { action: 'blocker_added' | 'blocker_removed'; field: 'blocked_by'; from: string | null; to: string | null };
};

/**
 * Checks that the actor may let a task wait for another.
 * @throws Problem `forbidden`; `illegal_transition` for a task that has ended or belongs to a job, which can wait for other jobs instead.
 */
export function requireMayWait(actor: Actor, task: ActedTask): void {
  authorize('change', actor, task);
  requireTaskOfPeople(task, 'it cannot be blocked; let its job wait for another job with `after`');
  if (hasEnded(task.state))
    throw problem('illegal_transition', `A task that is ${task.state} has ended and cannot be blocked.`);
}

/** @throws Problem `too_many_links`. */
export function requireRoom({ blockers, blocked }: DependencyCounts): void {
  if (blockers >= mostBlockers) throw tooMany(`A task has at most ${mostBlockers} blockers.`);
  if (blocked >= mostBlockers) throw tooMany(`A task blocks at most ${mostBlockers} tasks.`);
}

/** The blocker would be one too many. */
export function tooMany(detail: string) {
  return fieldProblem('too_many_links', { field: 'other_id', message: 'is one task too many', detail });
}

export function addition(blockerId: string): DependencyChange {
  return {
    event: { type: 'tasks.task.blocker_added', blocker_uuid: blockerId },
    entry: { action: 'blocker_added', field: 'blocked_by', from: null, to: blockerId },
  };
}

/**
 * The event and the entry that announce a task whose last open blocker has ended. The function `unblock_tasks` (migration 0032) implements it,
 * because tasks of jobs end in the database; a test compares the two.
 */
export function unblocking({ assignee_id }: Pick<Task, 'assignee_id'>) {
  return {
    event: { type: 'tasks.task.unblocked', assigned_to: assignee_id },
    entry: { action: 'unblocked', field: null, from: null, to: null, reason: null },
  } as const;
}

export function removal(blockerId: string): DependencyChange {
  return {
    event: { type: 'tasks.task.blocker_removed', blocker_uuid: blockerId },
    entry: { action: 'blocker_removed', field: 'blocked_by', from: blockerId, to: null },
  };
}
