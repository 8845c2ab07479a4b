import { z } from 'zod';
import { instant, uuid } from '../events/events.ts';
import { claimedJob, failure, jsonValue, largestBatchBytes, largestJobBytes, leaseToken, line, lost, namedTwice, onlyOnce, result, settledLease, settlement, valuesOfBatch, valuesOfJob } from './job-schemas.ts';
import { defineRoute } from './route.ts';
import { idParams, queueName } from './schemas.ts';

const tag = 'Jobs';
const worker = { kind: 'service', scope: 'jobs:work', public: true } as const;

/** Operations for workers: programs that execute the jobs of their queues. */
export const jobWorkerRoutes = {
  claimJobs: defineRoute({
    method: 'post',
    path: '/api/v1/jobs/claim',
    operationId: 'claimJobs',
    summary: 'Lease due jobs of some queues',
    description:
      'Waits up to `wait` seconds for a job. Within the lease, a repeated `claim_id` gets the same jobs, so a lost response costs only a repeated request. The jobs of a response have at most 4 MiB in total.',
    tag,
    access: worker,
    body: z.strictObject({
      claim_id: uuid.describe('a new id for each claim; repeat a claim with the same id'),
      queues: z.array(queueName).min(1).max(20),
      limit: z.int().min(1).max(100).default(1),
      lease_seconds: z.int().min(15).max(3_600).default(30),
      wait: z.number().min(0).max(25).default(0).describe('seconds'),
      worker: line(100).describe('a name of the worker for logs and attempts, such as its host and process'),
    }),
    repeatable: true,
    responses: { 200: z.object({ data: z.array(claimedJob) }) },
  }),
  heartbeatJobs: defineRoute({
    method: 'post',
    path: '/api/v1/jobs/heartbeat',
    operationId: 'heartbeatJobs',
    summary: 'Extend leases by their length, from now',
    tag,
    access: worker,
    body: z.strictObject({
      leases: z
        .array(z.strictObject({ lease_token: leaseToken, progress: jsonValue('latest only').optional() }))
        .min(1)
        .max(1_000)
        .refine(onlyOnce, namedTwice),
    }),
    maxBodyBytes: largestBatchBytes,
    maxBodyValues: valuesOfBatch,
    repeatable: true,
    responses: {
      200: z.object({
        data: z.array(
          z.union([
            z.object({
              lease_token: z.string(),
              outcome: z.literal('extended'),
              lease_ms: z.int(),
              lease_expires_at: instant,
              cancel_requested: z.boolean().describe('end the job soon: once it is failed or released, it is cancelled'),
            }),
            z.object({ lease_token: z.string(), outcome: lost }),
          ]),
        ),
      }),
    },
  }),
  settleJobs: defineRoute({
    method: 'post',
    path: '/api/v1/jobs/settle',
    operationId: 'settleJobs',
    summary: 'Complete, fail or release up to 100 jobs',
    description:
      'Each job has its own outcome. A repeated settlement gets the first response. A release uses up no attempt.',
    tag,
    access: worker,
    body: z.strictObject({ items: z.array(settlement).min(1).max(100).refine(onlyOnce, namedTwice) }),
    maxBodyBytes: largestBatchBytes,
    maxBodyValues: valuesOfBatch,
    repeatable: true,
    responses: {
      200: z.object({
        data: z.array(
          z.union([
            z.object({ lease_token: z.string(), outcome: z.literal('settled'), ...settledLease }),
            z.object({ lease_token: z.string(), outcome: lost }),
          ]),
        ),
      }),
    },
  }),
  completeJob: defineRoute({
    method: 'post',
    path: '/api/v1/jobs/{id}/complete',
    operationId: 'completeJob',
    summary: 'Complete a job',
    tag,
    access: worker,
    params: idParams,
    body: z.strictObject({ lease_token: leaseToken, result }),
    maxBodyBytes: largestJobBytes,
    maxBodyValues: valuesOfJob,
    repeatable: true,
    responses: { 200: z.object({ id: uuid, ...settledLease }) },
    problems: ['lease_lost'],
  }),
  failJob: defineRoute({
    method: 'post',
    path: '/api/v1/jobs/{id}/fail',
    operationId: 'failJob',
    summary: 'End an attempt that failed',
    tag,
    access: worker,
    params: idParams,
    body: z.strictObject({ lease_token: leaseToken, ...failure }),
    repeatable: true,
    responses: { 200: z.object({ id: uuid, ...settledLease }) },
    problems: ['lease_lost'],
  }),
  releaseJob: defineRoute({
    method: 'post',
    path: '/api/v1/jobs/{id}/release',
    operationId: 'releaseJob',
    summary: 'Return a job to its queue without using up an attempt',
    tag,
    access: worker,
    params: idParams,
    body: z.strictObject({ lease_token: leaseToken }),
    repeatable: true,
    responses: { 200: z.object({ id: uuid, ...settledLease }) },
    problems: ['lease_lost'],
  }),
};
