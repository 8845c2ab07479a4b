import { tasksRoutes, type JsonText } from '@taskwire/contracts';
import {
  bind,
  contentTag,
  isNotModified,
  listCursors,
  PreserializedJson,
  response,
  type BoundRoute,
} from '@taskwire/http-server';
import { claimedJobId } from '../../app/jobs/claimed-job-id.ts';
import { claimJobs } from '../../app/jobs/claim-jobs.ts';
import { enqueueJob, enqueueJobs } from '../../app/jobs/enqueue-jobs.ts';
import { extendLeases } from '../../app/jobs/extend-leases.ts';
import { listJobLimits, setJobLimit } from '../../app/jobs/limit-jobs.ts';
import type { KnownQueues } from '../../app/jobs/known-queues.ts';
import { cancelJob, dropJobs, replayJob, replayJobs } from '../../app/jobs/operate-jobs.ts';
import type { JobEnqueuing, JobLeases, JobLimiting, JobOperating, JobReads } from '../../app/jobs/ports.ts';
import { watchJob } from '../../app/jobs/read-job.ts';
import { settleJob, settleJobs } from '../../app/jobs/settle-jobs.ts';
import type { Waiters } from '../../app/jobs/waiters.ts';
import type { Watchers } from '../../app/jobs/watchers.ts';
import { readLeaseToken } from '../../domain/jobs/lease-token.ts';
import { pageBody, respond } from '../response.ts';
import { storedRequest } from './idempotency.ts';
import { logJob } from './log-job.ts';

export type JobPorts = {
  jobs: JobEnqueuing & JobReads & JobLeases & JobOperating & JobLimiting;
  knownQueues: KnownQueues;
  waiters: Waiters;
  watchers: Watchers;
};

const claimed = tasksRoutes.claimJobs.responses[200];

/** The operations on jobs. */
export function jobRoutes(ports: JobPorts): BoundRoute[] {
  return [
    bind(tasksRoutes.enqueueJob, async ({ actor, body: input, idempotent }) => {
      const command = { actor, input, request: storedRequest(actor, idempotent) };
      return respond(tasksRoutes.enqueueJob, 201, await enqueueJob(ports, command));
    }),
    bind(tasksRoutes.enqueueJobs, async ({ actor, body: { jobs: input }, idempotent }) => {
      const command = { actor, input, request: storedRequest(actor, idempotent) };
      return respond(tasksRoutes.enqueueJobs, 200, await enqueueJobs(ports, command));
    }),
    bind(tasksRoutes.getJob, async ({ actor, params: { id }, query, headers, hangUp, currentActor }) => {
      const known = headers['if-none-match'];
      const isKnown = (job: string) => typeof known === 'string' && isNotModified(known, contentTag(job));
      const command = { id, actor, currentActor, isKnown, waitSeconds: query.wait, hangUp: hangUp() };
      return { ...respond(tasksRoutes.getJob, 200, await watchJob(ports, command)), etag: 'content' };
    }),
    bind(tasksRoutes.listJobs, async ({ query: { cursor, limit, ...filter } }) => {
      const cursors = listCursors('id', { name: 'jobs', filter });
      const page = await ports.jobs.listJobs(filter, { after: cursors.decode(cursor), limit });
      return response(200, pageBody(tasksRoutes.listJobs.responses[200], page, cursors));
    }),
    bind(tasksRoutes.cancelJob, async ({ actor, params: input, idempotent }) => {
      const command = { actor, input, request: storedRequest(actor, idempotent) };
      return respond(tasksRoutes.cancelJob, 200, await cancelJob(ports, command));
    }),
    bind(tasksRoutes.replayJob, async ({ actor, params, body, idempotent: request }) =>
      respond(tasksRoutes.replayJob, 200, await replayJob(ports, { actor, input: { ...params, ...body }, request })),
    ),
    bind(tasksRoutes.replayJobs, async ({ actor, body: input, idempotent: request }) =>
      respond(tasksRoutes.replayJobs, 200, await replayJobs(ports, { actor, input, request })),
    ),
    bind(tasksRoutes.dropJobs, async ({ actor, body: input, idempotent: request }) =>
      respond(tasksRoutes.dropJobs, 200, await dropJobs(ports, { actor, input, request })),
    ),
    bind(tasksRoutes.setJobLimit, async ({ actor, params: { queue, key }, body: input }) =>
      response(200, await setJobLimit(ports, { actor, queue, key, input })),
    ),
    bind(tasksRoutes.listJobLimits, async ({ params: { queue } }) => response(200, await listJobLimits(ports, queue))),
    bind(tasksRoutes.claimJobs, async ({ actor: worker, body: input, hangUp }) => {
      const jobs = await claimJobs(ports, { worker, input, hangUp: hangUp() });
      logJob(jobs.map(claimedJobId));
      return response(200, new PreserializedJson(claimed, `{"data":[${jobs.join(',')}]}` as JsonText<typeof claimed>));
    }),
    bind(tasksRoutes.heartbeatJobs, async ({ actor: { queues }, body: { leases: input } }) => {
      logJob(input.map(jobOf));
      return response(200, await extendLeases(ports, { queues, input }));
    }),
    bind(tasksRoutes.settleJobs, async ({ actor: { queues }, body: { items: input } }) => {
      logJob(input.map(jobOf));
      return response(200, await settleJobs(ports, { queues, input }));
    }),
    bind(
      tasksRoutes.completeJob,
      async ({ actor: { queues }, params: { id: jobId }, body: { lease_token, ...complete } }) =>
        response(200, await settleJob(ports, { queues, jobId, input: { lease_token, complete } })),
    ),
    bind(tasksRoutes.failJob, async ({ actor: { queues }, params: { id: jobId }, body: { lease_token, ...fail } }) =>
      response(200, await settleJob(ports, { queues, jobId, input: { lease_token, fail } })),
    ),
    bind(tasksRoutes.releaseJob, async ({ actor: { queues }, params: { id: jobId }, body: { lease_token } }) =>
      response(200, await settleJob(ports, { queues, jobId, input: { lease_token, release: true } })),
    ),
  ];
}

function jobOf({ lease_token: token }: { lease_token: string }): string {
  return readLeaseToken(token).id;
}
