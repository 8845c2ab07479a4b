import { authorize } from '../permissions.ts';
import type { ActedTask, Actor } from '../task.ts';
import { authorizeTransition } from '../transitions.ts';
import { counted } from './related.ts';

/** The ids of what hinders a task: its open blockers, and its open sub-tasks, which hinder only its completion. */
export type Hindrances = { blockers: readonly string[]; subtasks: readonly string[] };

/** What a manager or admin overrides. `reason` is the user's own, which the entry has as `why`. */
export type Overrides = { force: boolean; overrideBlocked: boolean; reason: string | null };

/** Starting or completing a task. */
export type Step = { to: 'in_progress' | 'completed'; overrides: Overrides };

/**
 * Checks that the actor may start or complete the task. An actor who overrides what hinders it need not be its assignee.
 * @throws Problem `forbidden`, and what `authorizeTransition` throws.
 */
export function authorizeStep(actor: Actor, task: ActedTask, { to, overrides }: Step): void {
  if (overrides.force || overrides.overrideBlocked) authorize('override', actor, task);
  else authorizeTransition(actor, task, to);
}

/** What stops a step, with the tasks that do; or the explanation for the activity log, null if nothing had to be overridden. */
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
