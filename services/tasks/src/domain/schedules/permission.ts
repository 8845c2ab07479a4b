import { problem, Problem } from '@taskwire/errors';
import { authorize, type ProjectOfTask } from '../permissions.ts';
import type { Actor, Role } from '../task.ts';
import { requireJobSender } from '../jobs/permissions.ts';
import type { Target } from './schedule.ts';

/** Whether a user may see and change all schedules. */
export function seesAllSchedules({ role }: Actor): boolean {
  return role === 'admin' || role === 'manager';
}

/** Other users can't find out that a schedule exists. @throws Problem `not_found`. */
export function requireSchedule<S extends { creatorId: string }>(schedule: S | undefined, actor: Actor): S {
  if (schedule === undefined || !(schedule.creatorId === actor.id || seesAllSchedules(actor))) {
    throw problem('not_found', 'There is no schedule with this id.');
  }
  return schedule;
}

/**
 * Applies the rules of new tasks and jobs to a target. `place` is where the tasks are created.
 * @throws Problem `forbidden` if the user may not create or assign such tasks, or enqueue jobs; `project_archived`.
 */
export function authorizeTarget(actor: Actor, target: Target, place: ProjectOfTask): void {
  if (target.kind === 'job') {
    requireJobSender(actor);
    return;
  }
  const subject = { creator_id: actor.id, assignee_id: target.assignee_id, ...place };
  authorize('create', actor, subject);
  if (assigns(target)) authorize('assign', actor, subject);
}

/** The user for whom a schedule acts, as far as the directory knows. `role` is null for a user whom the directory does not know yet. */
export type Standing = { userId: string; role: Role | null; isDeleted: boolean; place: ProjectOfTask };

/** Why an occurrence cannot run: its user may not create such a task or job any more, or the project of its task is archived. */
export type Hindrance = 'not_permitted' | 'project_archived';

/** Applies the rules of new tasks and jobs again when an occurrence is to run. A user who is not known yet may do what they could when the target was saved. */
export function hindranceOf(target: Target, { userId, role, isDeleted, place }: Standing): Hindrance | null {
  if (isDeleted) return 'not_permitted';
  if (role === null) return place.project_is_archived ? 'project_archived' : null;
  try {
    authorizeTarget({ id: userId, role }, target, place);
    return null;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return error.code === 'project_archived' ? 'project_archived' : 'not_permitted';
  }
}

/** Whether the target assigns its tasks. */
export function assigns(target: Target): boolean {
  return target.kind === 'task' && (target.assign !== null || target.assignee_id !== null);
}
