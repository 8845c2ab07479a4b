import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '@taskwire/errors';
import { fullJitter } from '@taskwire/lifecycle';
import type { Database } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';

/** Between two questions whether the database is back. */
const probe = { baseMs: 100, capMs: 2_000 };
/** What fails this often although the database answers will fail again. */
const maxFailures = 3;

/**
 * Runs work that needs nothing but the database until it is done: while the database is away it waits, and tries again when it is back. The
 * work must be safe to repeat, since a commit whose answer was lost may have taken place.
 * @throws the work's error when it fails although the database is there, and the signal's reason.
 */
export type SurviveOutage = <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T>;

export function createSurviveOutage(options: {
  db: Pick<Database, 'ping'>;
  logger: Logger;
  /** Ends the probing. */
  stopping: AbortSignal;
}): SurviveOutage {
  const { db, logger, stopping } = options;
  let probing: Promise<boolean> | undefined;

  /** All who wait share one probe, which goes on until the database answers. Gives whether it was away at all. */
  async function untilBack(): Promise<boolean> {
    for (let failures = 1; ; failures++) {
      try {
        await db.ping();
        if (failures > 1) logger.info('the database is back; the inbox goes on');
        return failures > 1;
      } catch (error) {
        if (failures === 1) logger.warn('the database is away; the inbox waits', { error: errorText(error) });
        await delay(fullJitter(failures, probe), undefined, { signal: stopping });
      }
    }
  }

  return async (work, signal) => {
    for (let failures = 1; ; failures++) {
      try {
        return await work();
      } catch (error) {
        signal.throwIfAborted();
        probing ??= untilBack().finally(() => (probing = undefined));
        if (await abortable(probing, signal)) failures = 0;
        // it answers: the database is not what is wrong
        else if (failures >= maxFailures) throw error;
      }
    }
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
