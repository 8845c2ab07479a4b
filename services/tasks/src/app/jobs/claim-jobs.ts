import type { tasksRoutes } from '@taskwire/contracts';
import type { z } from 'zod';
import { requireQueues } from '../../domain/jobs/permissions.ts';
import type { ClaimedJob, JobLeases } from './ports.ts';
import type { Waiters } from './waiters.ts';

type Ports = { jobs: JobLeases; waiters: Waiters };

type Command = {
  worker: { kind: 'service'; clientId: string; queues: readonly string[] };
  input: z.output<typeof tasksRoutes.claimJobs.body>;
  /** Aborted when the worker closes the connection. */
  hangUp: AbortSignal;
};

/** Leases jobs of a worker's queues, as soon as there are any. Nothing is leased for a worker that hung up while it waited. */
export async function claimJobs({ jobs, waiters }: Ports, command: Command): Promise<readonly ClaimedJob[]> {
  const { worker, input, hangUp } = command;
  requireQueues(worker, input.queues);
  const queues = [...new Set(input.queues)];
  await jobs.heard();
  const claim = {
    ...{ clientId: worker.clientId, claimId: input.claim_id, queues, worker: input.worker },
    ...{ limit: input.limit, leaseMs: input.lease_seconds * 1_000 },
  };
  const until = performance.now() + input.wait * 1_000;
  // before the first look, so that no hint is lost between a look and the wait
  const waiter = waiters.join(queues);
  try {
    for (;;) {
      if (hangUp.aborted) return [];
      const claimed = await jobs.claim(claim);
      const leftMs = until - performance.now();
      if (claimed.length > 0 || leftMs <= 0 || waiters.isClosed()) return claimed;
      await waiter.next(leftMs, hangUp);
    }
  } finally {
    waiter.leave();
  }
}

/** Looks for jobs that claims wait for, whose hints were lost or sent to another process. A worker that waits counts as heard. */
export async function wakeWaiters({ jobs, waiters }: Ports): Promise<void> {
  const waiting = waiters.waiting();
  if (waiting.size === 0) return;
  await jobs.heard();
  const found = await jobs.countClaimable([...waiting.keys()], Math.max(...waiting.values()));
  for (const [queue, count] of found) waiters.wake(queue, count);
}
