import { tasksRoutes } from '@taskwire/contracts';
import { bind, paged, requireMatch, response, type BoundRoute, type IfMatch } from '@taskwire/http-server';
import type { KnownQueues } from '../../app/jobs/known-queues.ts';
import { changeSchedule, deleteSchedule, pauseSchedule, resumeSchedule } from '../../app/schedules/change-schedule.ts';
import { createSchedule } from '../../app/schedules/create-schedule.ts';
import { scheduleDocument, scheduleJson } from '../../app/schedules/document.ts';
import type { SchedulePorts } from '../../app/schedules/ports.ts';
import { previewSchedule } from '../../app/schedules/preview-schedule.ts';
import { listOccurrences, listSchedules, readSchedule } from '../../app/schedules/read-schedules.ts';
import { backfillSchedule, triggerSchedule } from '../../app/schedules/run-by-hand.ts';
import type { Users } from '../../app/ports.ts';
import type { UserLimit } from '../../app/user-limit.ts';
import { respond } from '../response.ts';

export type ScheduleRoutePorts = SchedulePorts & {
  users: Users;
  knownQueues: KnownQueues;
  /** Limits how often a user may create a task; a trigger creates one. */
  creations: UserLimit;
};

export function scheduleRoutes(ports: ScheduleRoutePorts): BoundRoute[] {
  return [
    bind(tasksRoutes.previewSchedule, async ({ body }) => response(200, { data: await previewSchedule(ports, body) })),
    bind(tasksRoutes.createSchedule, async ({ actor, body: input, idempotent: request }) => {
      ports.creations.take(actor.id);
      return respond(tasksRoutes.createSchedule, 201, await createSchedule(ports, { actor, input, request }));
    }),
    bind(tasksRoutes.listSchedules, async ({ actor, query: { cursor, limit } }) => {
      const list = { name: 'schedules', filter: { reader: actor.id }, positions: 'id' } as const;
      const page = await paged({ ...list, cursor, limit }, async (place) => await listSchedules(ports, actor, place));
      return response(200, { ...page, data: page.data.map(scheduleJson) });
    }),
    bind(tasksRoutes.getSchedule, async ({ actor, params }) =>
      respond(tasksRoutes.getSchedule, 200, scheduleDocument(await readSchedule(ports, actor, params.id))),
    ),
    bind(tasksRoutes.changeSchedule, async ({ body: input, ...request }) =>
      respond(tasksRoutes.changeSchedule, 200, await changeSchedule(ports, { ...commandOf(request), input })),
    ),
    bind(tasksRoutes.deleteSchedule, async (request) => {
      await deleteSchedule(ports, commandOf(request));
      return response(204);
    }),
    bind(tasksRoutes.pauseSchedule, async ({ idempotent: request, ...rest }) =>
      respond(tasksRoutes.pauseSchedule, 200, await pauseSchedule(ports, { ...commandOf(rest), request })),
    ),
    bind(tasksRoutes.resumeSchedule, async ({ idempotent: request, ...rest }) =>
      respond(tasksRoutes.resumeSchedule, 200, await resumeSchedule(ports, { ...commandOf(rest), request })),
    ),
    bind(tasksRoutes.triggerSchedule, async ({ idempotent: request, ...rest }) => {
      ports.creations.take(rest.actor.id);
      return respond(tasksRoutes.triggerSchedule, 200, await triggerSchedule(ports, { ...commandOf(rest), request }));
    }),
    bind(tasksRoutes.backfillSchedule, async ({ body: input, idempotent: request, ...rest }) => {
      ports.creations.take(rest.actor.id);
      const command = { ...commandOf(rest), input, request };
      return respond(tasksRoutes.backfillSchedule, 200, await backfillSchedule(ports, command));
    }),
    bind(tasksRoutes.listOccurrences, async ({ actor, params: { id }, query: { cursor, limit, ...range } }) => {
      const list = { name: 'occurrences', filter: { schedule: id, ...range }, positions: 'number' } as const;
      const read = async (place: Parameters<typeof listOccurrences>[2]) =>
        await listOccurrences(ports, { actor, id, range }, place);
      return response(200, await paged({ ...list, cursor, limit }, read));
    }),
  ];
}

/** A command on the schedule in the path. */
function commandOf<A>(request: { actor: A; params: { id: string }; ifMatch: IfMatch | undefined }) {
  return {
    actor: request.actor,
    scheduleId: request.params.id,
    requireVersion: (version: number) => requireMatch(request.ifMatch, version),
  };
}
