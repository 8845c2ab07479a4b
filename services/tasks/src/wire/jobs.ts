import { createLoop, type Component } from '@taskwire/lifecycle';
import type { Database } from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import { wakeWaiters } from '../app/jobs/claim-jobs.ts';
import { createWaiters } from '../app/jobs/waiters.ts';
import { createWatchers, lookAtWatched, wakingWatchers } from '../app/jobs/watchers.ts';
import type { TaskStore } from '../app/ports.ts';
import { createJobStore } from '../postgres/jobs/job-store.ts';
import { observeQueues, reapedCounter } from '../postgres/jobs/metrics.ts';

/** A pause is up to 20 % longer than its interval, so rounds start at most a second apart. */
const secondMs = 800;
/**
 * How long a claim waits for a job whose hint was lost, or went to another process. Polling costs each process four index probes a second for each
 * queue.
 */
const pollMs = 250;
/** A request that watches a job sees changes of other processes at most 1.2 s later; each process looks about once a second. */
const lookMs = 1_000;
/** The longest back-off while the database is unavailable: short, because workers and readers are waiting. */
const maxBackOffMs = 1_000;

/** Wires jobs: their store, the claims and readers that wait, and the loops that keep jobs moving. */
export function wireJobs({ db, tasks, telemetry }: { db: Database; tasks: TaskStore; telemetry: Telemetry }) {
  const { logger } = telemetry;
  const waiters = createWaiters();
  const watchers = createWatchers();
  const reaped = reapedCounter(telemetry.metrics);
  observeQueues(db.pool, telemetry);
  const store = createJobStore(db, tasks, {
    queued: (queue, given) => waiters.wake(queue, given.length),
    scheduled: () => promoter.wake(),
    freed: (queue, count) => waiters.wake(queue, count),
    expired: (queue, state) => reaped.inc({ queue, state }),
  });
  const jobs = wakingWatchers(store, watchers);

  const polling = createLoop({
    name: 'job claims',
    intervalMs: pollMs,
    maxBackOffMs,
    logger,
    async tick() {
      await wakeWaiters({ jobs, waiters });
      return 'idle';
    },
  });
  /** Starts after the HTTP server, and so stops before it: the server waits for the claims. */
  const claims: Component = {
    ...polling,
    async stop() {
      waiters.close();
      await polling.stop();
    },
  };

  const looking = createLoop({
    name: 'watched jobs',
    intervalMs: lookMs,
    maxBackOffMs,
    logger,
    async tick() {
      await lookAtWatched({ jobs, watchers });
      return 'idle';
    },
  });
  const watching: Component = {
    ...looking,
    async stop() {
      watchers.close();
      await looking.stop();
    },
  };

  let alarm: NodeJS.Timeout | undefined;
  const promoter = createLoop({
    name: 'job promoter',
    intervalMs: secondMs,
    logger,
    async tick() {
      const overdue = await jobs.endOverdue();
      const resolved = await jobs.resolveDependents();
      const { promoted, nextRunInMs } = await jobs.promote();
      clearTimeout(alarm);
      if (nextRunInMs !== null && nextRunInMs < secondMs)
        alarm = setTimeout(() => promoter.wake(), nextRunInMs).unref();
      return overdue + resolved + promoted > 0 ? 'more' : 'idle';
    },
  });

  const reaper = createLoop({
    name: 'job reaper',
    intervalMs: secondMs,
    logger,
    tick: async () => ((await jobs.reap())?.isComplete === false ? 'more' : 'idle'),
  });

  return { jobs, waiters, watchers, claims, watching, promoter, reaper };
}
