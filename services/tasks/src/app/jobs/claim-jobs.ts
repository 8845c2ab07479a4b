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

/** Leases jobs from a worker's queues as soon as there are any. Leases nothing for a worker that disconnected while it waited. */
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
  // join before the first claim, so that no hint is lost between a claim and the wait
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

/**
 * Polls for jobs whose hints were lost or sent to another process, and wakes the claims that wait for them. A waiting worker counts as a sign of
 * life.
 */
export async function wakeWaiters({ jobs, waiters }: Ports): Promise<void> {
  const waiting = waiters.waiting();
  if (waiting.size === 0) return;
  await jobs.heard();
  const found = await jobs.countClaimable([...waiting.keys()], Math.max(...waiting.values()));
  for (const [queue, count] of found) waiters.wake(queue, count);
}
