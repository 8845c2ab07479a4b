import { errorText } from '@taskwire/errors';
import type { Logger } from '@taskwire/telemetry';
import { createLoop, type Loop, type Progress } from './loop.ts';

export type WorkerPoolOptions<J> = {
  name: string;
  /** The maximum number of jobs that run at a time. */
  concurrency: number;
  /**
   * Claims at most `places` due jobs, or fewer to limit the pace. An empty result means that no job is due, or that none may be claimed now, for
   * example while a dependency is known to be unavailable. A rejection makes the pool back off.
   */
  claim(places: number, signal: AbortSignal): Promise<readonly J[]>;
  /**
   * Runs one job, and records its result. `signal` is aborted when the pool stops. Reject only if no other job would succeed either: the pool then backs
   * off and probes.
   */
  run(job: J, signal: AbortSignal): Promise<void>;
  /** How long a due job may remain unnoticed if nothing wakes the pool, in milliseconds. */
  intervalMs: number;
  /** The longest pause after repeated failures, in milliseconds. */
  maxBackOffMs?: number | undefined;
  /**
   * How long free slots may wait to be refilled together while fewer than half of the slots are free, in milliseconds, because one claim of several
   * jobs costs less than several claims. By default, each slot is refilled as soon as its job ends.
   */
  gatherMs?: number;
  logger: Logger;
};

export type WorkerPool<J> = Loop & {
  /** Returns the jobs that are running now, for example so that their leases can be renewed. */
  running(): J[];
};

/**
 * Runs jobs that are claimed from a queue. Each slot is refilled as soon as its job ends, or within `gatherMs`, so that a slow job occupies one slot
 * and delays no other job. While nothing is due, the pool claims once per `intervalMs`, or when it is woken.
 *
 * After `run` has rejected, the pool probes: jobs run one at a time, with growing pauses between them, until one of them succeeds.
 *
 * `tick` claims once and waits for the jobs that are running at that time. Its result is `more` if any were running, so that tests and commands can
 * repeat it until nothing is due. It rejects if one of these jobs rejected. `stop` claims nothing more, and waits for all running jobs. If the
 * process ends during a job, another process claims the job once its lease has expired.
 *
 * Used for the retries of an inbox, the deliveries of notifications and the refresher of a user directory.
 */
export function createWorkerPool<J>(options: WorkerPoolOptions<J>): WorkerPool<J> {
  const { name, concurrency, gatherMs = 0, logger } = options;
  const jobs = new Map<Promise<void>, J>();
  let claimedSoFar = 0;
  let probing = false;
  let failure: { error: unknown } | undefined;
  let gathering: NodeJS.Timeout | undefined;

  const loop = createLoop({
    name,
    intervalMs: options.intervalMs,
    maxBackOffMs: options.maxBackOffMs,
    logger,
    tick: fill,
  });

  async function fill(signal: AbortSignal): Promise<Progress> {
    // a failed job makes the round fail, so that the loop pauses
    if (failure !== undefined) throwFailure();
    const places = (probing ? 1 : concurrency) - jobs.size;
    if (places < 1) return 'idle';
    const isProbe = probing;
    const claimed = await options.claim(places, signal);
    claimedSoFar += claimed.length;
    for (const job of claimed) start(job, signal);
    if (isProbe && claimed.length > 0) {
      await drained();
      if (failure !== undefined) throwFailure();
      return 'more';
    }
    // the end of each job wakes the loop
    return 'idle';
  }

  function throwFailure(): never {
    const error = failure?.error;
    failure = undefined;
    throw error;
  }

  function start(job: J, signal: AbortSignal): void {
    const running = runOne(job, signal).then(() => {
      jobs.delete(running);
      wake();
    });
    jobs.set(running, job);
  }

  function wake(): void {
    if (gatherMs > 0 && jobs.size * 2 > concurrency) {
      gathering ??= setTimeout(wakeNow, gatherMs);
    } else wakeNow();
  }

  function wakeNow(): void {
    clearTimeout(gathering);
    gathering = undefined;
    loop.wake();
  }

  async function runOne(job: J, signal: AbortSignal): Promise<void> {
    try {
      await options.run(job, signal);
      probing = false;
    } catch (error) {
      if (signal.aborted) return void logger.warn(`${name}: a job failed while stopping`, { error: errorText(error) });
      probing = true;
      failure = { error };
    }
  }

  async function drained(): Promise<void> {
    await Promise.all(jobs.keys());
  }

  return {
    ...loop,
    wake,
    running: () => [...jobs.values()],
    async tick() {
      const before = claimedSoFar;
      await loop.tick();
      const found = jobs.size > 0 || claimedSoFar > before;
      await drained();
      if (failure !== undefined) throwFailure();
      return found ? 'more' : 'idle';
    },
    async stop() {
      await loop.stop();
      await drained();
      clearTimeout(gathering);
    },
  };
}
