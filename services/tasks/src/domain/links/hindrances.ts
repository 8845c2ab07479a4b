import { authorize } from '../permissions.ts';
import type { ActedTask, Actor } from '../task.ts';
import { authorizeTransition } from '../transitions.ts';
import { counted } from './related.ts';

/** The ids of the tasks that hold up a task: its open blockers, and its open sub-tasks, which hold up only its completion. */
export type Hindrances = { blockers: readonly string[]; subtasks: readonly string[] };

/** An override by a manager or admin. `reason` is the user's own, stored as `why` in the activity entry. */
export type Overrides = { force: boolean; overrideBlocked: boolean; reason: string | null };

/** Starting or completing a task. */
export type Step = { to: 'in_progress' | 'completed'; overrides: Overrides };

/**
 * Checks that the actor may start or complete the task. An actor who overrides hindrances need not be its assignee.
 * @throws Problem `forbidden`, and what `authorizeTransition` throws.
 */
export function authorizeStep(actor: Actor, task: ActedTask, { to, overrides }: Step): void {
  if (overrides.force || overrides.overrideBlocked) authorize('override', actor, task);
  else authorizeTransition(actor, task, to);
}

/**
 * The reason why a step is not possible, with the tasks that hold it up; or the explanation for the activity log, null if nothing had to be
 * overridden.
 */
export type Verdict =
  { code: 'task_blocked' | 'open_subtasks'; ids: readonly string[] } | { code: 'possible'; explanation: string | null };

/**
 * Decides whether a task can be started or completed.
 * @throws Problem `forbidden` if nothing had to be overridden, and the actor is not the assignee.
 */
export function judge(actor: Actor, task: ActedTask, { to, overrides }: Step, hindrances: Hindrances): Verdict {
  const { blockers } = hindrances;
  const subtasks = to === 'completed' ? hindrances.subtasks : [];
  if (blockers.length > 0 && !overrides.overrideBlocked) return { code: 'task_blocked', ids: blockers };
  if (subtasks.length > 0 && !overrides.force) return { code: 'open_subtasks', ids: subtasks };
  const overridden = [
    ...(blockers.length > 0 ? [`${counted(blockers.length, 'open blocker')} overridden`] : []),
    ...(subtasks.length > 0 ? [`${counted(subtasks.length, 'open sub-task')} left open`] : []),
  ];
  if (overridden.length === 0) authorizeTransition(actor, task, to);
  return { code: 'possible', explanation: overridden.length === 0 ? null : overridden.join(', ') };
}
