import { problem } from '@taskwire/errors';
import { authorize, outsideOfProjects } from '../permissions.ts';
import type { Actor } from '../task.ts';
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
 * Applies the rules of new tasks and jobs to a target. @throws Problem `forbidden` if the target assigns its tasks or enqueues jobs, and the user
 * may not.
 */
export function authorizeTarget(actor: Actor, target: Target): void {
  if (target.kind === 'job') requireJobSender(actor);
  else if (assigns(target)) {
    const { assignee_id } = target;
    authorize('assign', actor, { creator_id: actor.id, assignee_id, ...outsideOfProjects });
  }
}

/** Whether only managers and admins may create what the target creates. */
export function actsAsManager(target: Target): boolean {
  return target.kind === 'job' || assigns(target);
}

/** Whether the target assigns its tasks. */
export function assigns(target: Target): boolean {
  return target.kind === 'task' && (target.assign !== null || target.assignee_id !== null);
}
