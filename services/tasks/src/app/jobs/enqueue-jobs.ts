import { jsonText, tasksRoutes, windowMs } from '@taskwire/contracts';
import type { z } from 'zod';
import { actorName, requireQueues, type JobActor } from '../../domain/jobs/permissions.ts';
import type { IdempotentRequest, WriteResult } from '../ports.ts';
import type { JobEnqueuing, NewJob, ReceiptSchema } from './ports.ts';

const batchResponse = tasksRoutes.enqueueJobs.responses[200];
const receipt = tasksRoutes.enqueueJob.responses[201];

type Input = z.output<typeof tasksRoutes.enqueueJob.body>;
type Ports = { jobs: JobEnqueuing };
type Command<I> = { actor: JobActor; input: I; request: IdempotentRequest | undefined };

/** Enqueues a job. */
export async function enqueueJob(
  { jobs }: Ports,
  { actor, input, request }: Command<Input>,
): Promise<WriteResult<ReceiptSchema>> {
  requireQueues(actor, [input.queue]);
  const batch = { jobs: [toNewJob(input, actor)], request };
  return await jobs.enqueue(batch, ([first]) => {
    if (first === undefined) throw new Error('a job was stored without a receipt');
    return jsonText(receipt, first);
  });
}

/** Enqueues many jobs, all or none. */
export async function enqueueJobs(
  { jobs }: Ports,
  { actor, input, request }: Command<readonly Input[]>,
): Promise<WriteResult<typeof batchResponse>> {
  requireQueues(
    actor,
    input.map(({ queue }) => queue),
  );
  const batch = { jobs: input.map((job) => toNewJob(job, actor)), request };
  return await jobs.enqueue(batch, (receipts) => jsonText(batchResponse, { data: [...receipts] }));
}

/** A job of a valid request. */
export function toNewJob({ unique, ...input }: Input, sender: JobActor): NewJob {
  return {
    queue: input.queue,
    kind: input.kind,
    payload: JSON.stringify(input.payload),
    runAt: input.run_at ?? null,
    priority: input.priority,
    maxAttempts: input.max_attempts,
    deadline: input.deadline ?? null,
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
    createdBy: actorName(sender),
  };
}
