import { z } from 'zod';
import { job, jobState, largestBatchBytes, largestJobBytes, limit, limits, line, newJob, operatorsReason, receipt, valuesOfBatch, valuesOfJob } from './job-schemas.ts';
import { jobWorkerRoutes } from './job-workers.ts';
import { defineRoute } from './route.ts';
import { givenInstant, idParams, listOf, longestWaitSeconds, page, queryInteger, queueName } from './schemas.ts';

const tag = 'Jobs';
const sender = { scopes: ['tasks:write'], roles: ['admin', 'manager'], service: 'jobs:enqueue' } as const;

/** The check finds misspelt names; it grants nothing, so it does not depend on Auth. */
const ofUnknownQueues =
  'A user may name only queues of registered clients (422 `unknown_queue`). Any name is accepted as long as no client has a queue, and while Auth is unavailable.';

/** Selects dead jobs; an absent criterion matches every dead job. */
const deadFilter = z.strictObject({
  queue: queueName.optional(),
  kind: line(100).optional(),
  reason: line(100).optional().describe('why the job is dead, such as poison'),
  until: givenInstant.optional().describe('died at this time or earlier'),
});
/** The maximum number of jobs, so that one request takes no longer than a large batch. */
const operatorsBatch = z.strictObject({
  filter: deadFilter.default({}),
  reason: operatorsReason,
  limit: z.int().min(1).max(1_000).default(100),
});
const more = z.boolean().describe('whether other dead jobs match');
const administrator = { kind: 'user', scopes: ['admin'], roles: ['admin'] } as const;

/** Operations on jobs, which are work that programs execute. A service has access only to the queues of its registration. */
export const jobsRoutes = {
  enqueueJob: defineRoute({
    method: 'post',
    path: '/api/v1/jobs',
    operationId: 'enqueueJob',
    summary: 'Enqueue a job',
    description: `With \`unique\` and \`on_conflict: "return"\`, the response may be an earlier job; \`is_existing\` is then true. ${ofUnknownQueues}`,
    tag,
    access: { kind: 'user', ...sender },
    body: newJob,
    maxBodyBytes: largestJobBytes,
    maxBodyValues: valuesOfJob,
    idempotent: true,
    responses: { 201: receipt },
    location: '/api/v1/jobs/{id}',
    problems: ['job_exists', 'unknown_queue'],
  }),
  enqueueJobs: defineRoute({
    method: 'post',
    path: '/api/v1/jobs/batch',
    operationId: 'enqueueJobs',
    summary: 'Enqueue up to 1,000 jobs, all or none',
    description: `The response lists the jobs in the order of the request. ${ofUnknownQueues}`,
    tag,
    access: { kind: 'user', ...sender },
    body: z.strictObject({ jobs: z.array(newJob).min(1).max(1_000) }),
    maxBodyBytes: largestBatchBytes,
    maxBodyValues: valuesOfBatch,
    idempotent: true,
    responses: { 200: z.object({ data: z.array(receipt) }) },
    problems: ['job_exists', 'unknown_queue'],
  }),
  getJob: defineRoute({
    method: 'get',
    path: '/api/v1/jobs/{id}',
    operationId: 'getJob',
    summary: 'Read a job',
    description:
      'To follow a job, send the ETag of the last response as If-None-Match with `wait`: the response is another representation, or 304 when the time is over. It is the latest one; those in between may be skipped. Requests for a job that has ended (`settled_at` is set) do not wait, nor do those without If-None-Match.',
    tag,
    access: { kind: 'user', ...sender, scopes: ['tasks:read'] },
    params: idParams,
    query: z.strictObject({
      wait: queryInteger(0, longestWaitSeconds)
        .default(0)
        .describe(`how many seconds to wait while If-None-Match matches, up to ${longestWaitSeconds}; the default is 0`),
    }),
    etag: true,
    responses: { 200: job },
    problems: ['not_found'],
  }),
  listJobs: defineRoute({
    method: 'get',
    path: '/api/v1/jobs',
    operationId: 'listJobs',
    summary: 'List jobs, newest first',
    tag,
    access: { kind: 'user', scopes: ['tasks:read'], roles: ['admin', 'manager'] },
    query: z.strictObject({
      ...page,
      state: jobState.optional(),
      queue: queueName.optional(),
      kind: line(100).optional(),
    }),
    responses: { 200: listOf(job) },
    problems: ['bad_cursor'],
  }),
  cancelJob: defineRoute({
    method: 'post',
    path: '/api/v1/jobs/{id}/cancel',
    operationId: 'cancelJob',
    summary: 'Cancel a job',
    description:
      'A job without a worker is cancelled at once. A leased job gets `cancel_requested`, which its worker sees with the next heartbeat; the job may still succeed.',
    tag,
    access: { kind: 'user', ...sender },
    params: idParams,
    idempotent: true,
    responses: { 200: job },
    problems: ['not_found', 'conflict'],
  }),
  replayJob: defineRoute({
    method: 'post',
    path: '/api/v1/jobs/{id}/replay',
    operationId: 'replayJob',
    summary: 'Queue a dead job again, with all its attempts',
    description: 'A deadline that has passed no longer applies.',
    tag,
    access: administrator,
    params: idParams,
    body: z.strictObject({ reason: operatorsReason }),
    idempotent: true,
    responses: { 200: job },
    problems: ['not_found', 'conflict'],
  }),
  replayJobs: defineRoute({
    method: 'post',
    path: '/api/v1/jobs/replay',
    operationId: 'replayJobs',
    summary: 'Queue many dead jobs again, oldest first',
    tag,
    access: administrator,
    body: operatorsBatch,
    idempotent: true,
    responses: { 200: z.object({ replayed: z.int(), more }) },
  }),
  dropJobs: defineRoute({
    method: 'post',
    path: '/api/v1/jobs/drop',
    operationId: 'dropJobs',
    summary: 'Drop many dead jobs permanently, oldest first',
    description: 'The jobs are cancelled, with the reason `dropped`.',
    tag,
    access: { ...administrator, recentLogin: true },
    body: operatorsBatch,
    idempotent: true,
    responses: { 200: z.object({ dropped: z.int(), more }) },
  }),
  setJobLimit: defineRoute({
    method: 'put',
    path: '/api/v1/job_limits/{queue}/{key}',
    operationId: 'setJobLimit',
    summary: 'Limit the jobs of a concurrency key',
    description:
      'The key `*` limits every key of the queue that has no limits of its own. Running jobs are not affected. Null for both removes the limits. The queue of no registered client is refused (422 `unknown_queue`), except to remove its limits.',
    tag,
    access: administrator,
    params: z.strictObject({ queue: queueName, key: line(200) }),
    body: z.strictObject(limits),
    responses: { 200: limit },
    problems: ['unknown_queue'],
  }),
  listJobLimits: defineRoute({
    method: 'get',
    path: '/api/v1/job_limits/{queue}',
    operationId: 'listJobLimits',
    summary: 'List the limits of a queue, by key',
    tag,
    access: { kind: 'user', scopes: ['tasks:read'], roles: ['admin', 'manager'] },
    params: z.strictObject({ queue: queueName }),
    responses: { 200: z.object({ data: z.array(limit) }) },
  }),
  ...jobWorkerRoutes,
};
