import { jsonText, tasksRoutes, windowMs } from '@taskwire/contracts';
import type { Problem } from '@taskwire/errors';
import type { z } from 'zod';
import { actorName, requireQueues, type JobActor } from '../../domain/jobs/permissions.ts';
import { invalidField } from '../../domain/invalid-field.ts';
import type { IdempotentRequest, TaskWrites, WriteResult } from '../ports.ts';
import { findUnknownQueue, type KnownQueues, type NamedQueue } from './known-queues.ts';
import type { JobEnqueuing, NewJob, ReceiptSchema } from './ports.ts';

const batchResponse = tasksRoutes.enqueueJobs.responses[200];
const receipt = tasksRoutes.enqueueJob.responses[201];

type Input = z.output<typeof tasksRoutes.enqueueJob.body>;
type Ports = { jobs: JobEnqueuing & Pick<TaskWrites, 'once'>; knownQueues: KnownQueues };
type Command<I> = { actor: JobActor; input: I; request: IdempotentRequest | undefined };

/** Enqueues a job. @throws Problem `forbidden`, `unknown_queue`, and what `toNewJob` and `JobEnqueuing.enqueue` throw. */
export async function enqueueJob(
  { jobs, knownQueues }: Ports,
  { actor, input, request }: Command<Input>,
): Promise<WriteResult<ReceiptSchema>> {
  requireQueues(actor, [input.queue]);
  const fault = await faultOf(knownQueues, actor, [{ field: 'queue', queue: input.queue }]);
  if (fault !== undefined) return await refuse(jobs, request, fault);
  const batch = { jobs: [toNewJob(input, actor)], request };
  return await jobs.enqueue(batch, ([first]) => {
    if (first === undefined) throw new Error('a job was stored without a receipt');
    return jsonText(receipt, first);
  });
}

/** Enqueues many jobs, all or none. @throws what `enqueueJob` throws. */
export async function enqueueJobs(
  { jobs, knownQueues }: Ports,
  { actor, input, request }: Command<readonly Input[]>,
): Promise<WriteResult<typeof batchResponse>> {
  requireQueues(
    actor,
    input.map(({ queue }) => queue),
  );
  const named = input.map(({ queue }, place) => ({ field: `${pathOf(place)}queue`, queue }));
  const fault = await faultOf(knownQueues, actor, named);
  if (fault !== undefined) return await refuse(jobs, request, fault);
  const jobsOfBatch = input.map((job, place) => toNewJob(job, actor, pathOf(place)));
  const batch = { jobs: jobsOfBatch, request };
  return await jobs.enqueue(batch, (receipts) => jsonText(batchResponse, { data: [...receipts] }));
}

/** The path of a job in a batch. */
function pathOf(place: number): string {
  return `jobs.${place}.`;
}

/** The registration of a client has been checked, so only the queues of users may be unknown. */
async function faultOf(knownQueues: KnownQueues, actor: JobActor, named: readonly NamedQueue[]) {
  return actor.kind === 'user' ? await findUnknownQueue(knownQueues, named) : undefined;
}

/** Refuses a request, unless an earlier one with the same key has a response. */
async function refuse<S extends z.ZodType>(
  { once }: Pick<TaskWrites, 'once'>,
  request: IdempotentRequest | undefined,
  fault: Problem,
): Promise<WriteResult<S>> {
  return await once<S>(request, async () => {
    throw fault;
  });
}

/**
 * A job of a request. `path` is its place in the request, which precedes the names of its fields in problems. @throws Problem `invalid_input` for a
 * deadline before the earliest start: the job would wait for a start that never comes.
 */
export function toNewJob({ unique, ...input }: Input, sender: JobActor, path = ''): NewJob {
  const { run_at: runAt, deadline } = input;
  if (runAt !== undefined && deadline !== undefined && Temporal.Instant.compare(deadline, runAt) < 0)
    throw invalidField(`${path}deadline`, 'invalid_range', 'must not be before run_at');
  return {
    path,
    queue: input.queue,
    kind: input.kind,
    payload: JSON.stringify(input.payload),
    runAt: runAt ?? null,
    priority: input.priority,
    maxAttempts: input.max_attempts,
    deadline: deadline ?? null,
    unique:
      unique === undefined
        ? null
        : {
            key: unique.key,
            windowMs: unique.until === 'window' ? windowMs(unique.window) : null,
            onConflict: unique.on_conflict,
          },
    concurrencyKey: input.concurrency_key ?? null,
    after: input.after,
    senderQueues: sender.kind === 'service' ? sender.queues : null,
    createdBy: actorName(sender),
  };
}
