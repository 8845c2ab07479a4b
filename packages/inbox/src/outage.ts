import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '@taskwire/errors';
import { fullJitter } from '@taskwire/lifecycle';
import { outageOf, type Database, type Outage } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';

/** Between two probes whether the database is back. */
const probe = { baseMs: 100, capMs: 2_000 };
/** What fails this often although the database answers will fail again. */
const maxFailures = 3;

/**
 * Runs work that needs nothing but the database. While the database cannot work (by SQLSTATE, or by a probe that writes) it waits, and goes on when
 * the database is back. The work must be safe to repeat, since a commit whose answer was lost may have taken place.
 */
export type SurviveOutage = {
  /** @throws the work's error when it fails although the database works, and the signal's reason. */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
  /**
   * For what has no other way, such as recording a failure: a lock that is not free in time, or a statement that takes too long, is waited for
   * as well.
   * @throws as `run` does, for any other error.
   */
  persist<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
};

export function createSurviveOutage(options: {
  db: Pick<Database, 'checkWritable'>;
  logger: Logger;
  /** Ends the probing. */
  stopping: AbortSignal;
}): SurviveOutage {
  const { db, logger, stopping } = options;
  let probing: Promise<boolean> | undefined;

  /** All who wait share one probe, which goes on until the database takes writes. Gives whether it was away at all. */
  async function untilBack(): Promise<boolean> {
    for (let failures = 1; ; failures++) {
      try {
        await db.checkWritable();
        if (failures > 1) logger.info('the database takes writes again; the inbox goes on');
        return failures > 1;
      } catch (error) {
        if (failures === 1) logger.warn('the database takes no writes; the inbox waits', { error: errorText(error) });
        await delay(fullJitter(failures, probe), undefined, { signal: stopping });
      }
    }
  }

  async function survive<T>(
    work: () => Promise<T>,
    { signal, waitsFor }: { signal: AbortSignal; waitsFor: readonly Outage[] },
  ): Promise<T> {
    for (let failures = 1, tries = 1; ; failures++, tries++) {
      try {
        return await work();
      } catch (error) {
        signal.throwIfAborted();
        const outage = outageOf(error);
        probing ??= untilBack().finally(() => (probing = undefined));
        if (await abortable(probing, signal)) failures = 0;
        // the probe passed, yet the work met an outage: one of its table, or one that ended in between
        else if (outage !== undefined && waitsFor.includes(outage))
          await delay(fullJitter(tries, probe), undefined, { signal });
        else if (failures >= maxFailures) throw error;
      }
    }
  }

  return {
    run: async (work, signal) => await survive(work, { signal, waitsFor: ['unavailable'] }),
    persist: async (work, signal) => await survive(work, { signal, waitsFor: ['unavailable', 'busy'] }),
  };
}

async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
