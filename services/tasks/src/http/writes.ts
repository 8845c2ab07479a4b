import { tasksRoutes } from '@taskwire/contracts';
import { response, bind, requireMatch, type BoundRoute, type IfMatch } from '@taskwire/http-server';
import { assignTask } from '../app/assign-task.ts';
import { changeTask } from '../app/change-task.ts';
import { createTask } from '../app/create-task.ts';
import { deleteTask } from '../app/delete-task.ts';
import { restoreTask } from '../app/restore-task.ts';
import type { KnownQueues } from '../app/jobs/known-queues.ts';
import type { JobEnqueuing } from '../app/jobs/ports.ts';
import { addBlocker, removeBlocker } from '../app/links/block-tasks.ts';
import type { LinkStore } from '../app/links/ports.ts';
import type { TaskStore, Users } from '../app/ports.ts';
import type { ProjectStore } from '../app/projects/ports.ts';
import { shuffleTasks } from '../app/shuffle-tasks.ts';
import { transitionTask } from '../app/transition-task.ts';
import type { UserLimit } from '../app/user-limit.ts';
import { respond } from './response.ts';

export type WritePorts = {
  tasks: TaskStore;
  users: Users;
  jobs: JobEnqueuing;
  knownQueues: KnownQueues;
  links: LinkStore;
  projects: Pick<ProjectStore, 'find'>;
  wakeReassigner: () => void;
  /** Limits how often a user may create a task. */
  creations: UserLimit;
  /** Limits how often a user may shuffle. */
  shuffles: UserLimit;
};

export function writeRoutes(ports: WritePorts): BoundRoute[] {
  return [
    bind(tasksRoutes.createTask, async ({ actor, body: input, idempotent: request }) =>
      respond(tasksRoutes.createTask, 201, await createTask(ports, { actor, input, request })),
    ),
    bind(tasksRoutes.changeTask, async ({ body: input, ...request }) =>
      respond(tasksRoutes.changeTask, 200, await changeTask(ports, { ...commandOf(request), input })),
    ),
    bind(tasksRoutes.deleteTask, async (request) => {
      await deleteTask(ports, commandOf(request));
      return response(204);
    }),
    bind(tasksRoutes.restoreTask, async ({ idempotent: request, ...rest }) =>
      respond(tasksRoutes.restoreTask, 200, await restoreTask(ports, { ...commandOf(rest), request })),
    ),
    bind(tasksRoutes.assignTask, async ({ body: input, idempotent, ...rest }) => {
      const command = { ...commandOf(rest), input, request: idempotent };
      return respond(tasksRoutes.assignTask, 200, await assignTask(ports, command));
    }),
    bind(tasksRoutes.transitionTask, async ({ body, idempotent, ...rest }) => {
      const { state: to, force = false, override_blocked: overrideBlocked = false, reason = null } = body;
      const command = { ...commandOf(rest), to, overrides: { force, overrideBlocked, reason }, request: idempotent };
      return respond(tasksRoutes.transitionTask, 200, await transitionTask(ports, command));
    }),
    bind(tasksRoutes.addBlocker, async ({ actor, params: { id: taskId, other_id: blockerId } }) => {
      await addBlocker(ports, { actor, taskId, blockerId });
      return response(204);
    }),
    bind(tasksRoutes.removeBlocker, async ({ actor, params: { id: taskId, other_id: blockerId } }) => {
      await removeBlocker(ports, { actor, taskId, blockerId });
      return response(204);
    }),
    bind(tasksRoutes.shuffleTasks, async ({ actor, idempotent: request }) =>
      respond(tasksRoutes.shuffleTasks, 200, await shuffleTasks(ports, { actor, request })),
    ),
  ];
}

/** A command on the task in the path. */
function commandOf<A>(request: { actor: A; params: { id: string }; ifMatch: IfMatch | undefined }) {
  return {
    actor: request.actor,
    taskId: request.params.id,
    requireVersion: (version: number) => requireMatch(request.ifMatch, version),
  };
}
