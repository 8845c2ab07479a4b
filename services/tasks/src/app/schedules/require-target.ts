import type { Problem } from '@taskwire/errors';
import type { Tx } from '@taskwire/postgres';
import { outsideOfProjects } from '../../domain/permissions.ts';
import { authorizeTarget } from '../../domain/schedules/permission.ts';
import type { Target } from '../../domain/schedules/schedule.ts';
import type { Actor } from '../../domain/task.ts';
import { requireEligible } from '../eligibility.ts';
import { findUnknownQueue, type KnownQueues } from '../jobs/known-queues.ts';
import { enterProject } from '../projects/place-in-project.ts';
import type { SchedulePorts } from './ports.ts';

/** The field of a request that names the assignee of a schedule's tasks. */
export const assigneeField = 'target.assignee_id';

/**
 * Requires that a user may create and assign what a schedule will create for them, in its project.
 * @throws what `authorizeTarget`, `enterProject` and `requireEligible` throw.
 */
export async function requireTarget(
  { tasks, projects }: Pick<SchedulePorts, 'tasks' | 'projects'>,
  tx: Tx,
  actor: Actor,
  target: Target,
): Promise<void> {
  if (target.kind === 'job') {
    authorizeTarget(actor, target, outsideOfProjects);
    return;
  }
  const { project_id: projectId, assignee_id: assigneeId } = target;
  authorizeTarget(actor, target, await enterProject(projects, tx, { actor, projectId, field: 'target.project_id' }));
  if (assigneeId !== null) requireEligible(await tasks.lockEligibility(tx, assigneeId, projectId), assigneeField);
}

type GivenTarget = { kind: 'task' } | { kind: 'job'; job: { queue: string } } | undefined;

/** Returns the problem of a target whose queue no registered client has; `requireTarget` refuses members whatever the queue is. */
export async function findUnknownTargetQueue(
  knownQueues: KnownQueues,
  actor: Pick<Actor, 'role'>,
  target: GivenTarget,
): Promise<Problem | undefined> {
  if (target?.kind !== 'job' || actor.role === 'member') return undefined;
  return await findUnknownQueue(knownQueues, [{ field: 'target.job.queue', queue: target.job.queue }]);
}
