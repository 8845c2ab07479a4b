import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '@taskwire/errors';
import { backOffMs, raceAbort } from '@taskwire/lifecycle';
import { outageOf, type Database, type Outage } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';

/** Back-off between probes of an unavailable database. */
const probe = { baseMs: 100, capMs: 2_000 };
/** Work that fails this often although the database responds will fail again. */
const maxFailures = 3;

/**
 * Runs work that needs only the database. While the database is unavailable (as shown by an SQLSTATE or by a writing probe), it waits, and it
 * continues when the database is back. The work must be safe to repeat: a commit whose response was lost may have taken effect.
 */
export type DatabaseOutage = {
  /** @throws the error of the work if it fails although the database works, or the signal's reason. */
  retryWhileDatabaseIsDown<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
  /**
   * For work that has no alternative, such as recording a failure: also retries after a lock timeout or a statement timeout.
   * @throws as `retryWhileDatabaseIsDown` does, for any other error.
   */
  retryWhileDatabaseIsDownOrBusy<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
};

export function createDatabaseOutage(options: {
  db: Pick<Database, 'checkWritable'>;
  logger: Logger;
  /** Stops the probing. */
  stopping: AbortSignal;
}): DatabaseOutage {
  const { db, logger, stopping } = options;
  let probing: Promise<boolean> | undefined;

  /** All waiting callers share one probe, which continues until the database accepts writes. Returns whether the database was unavailable. */
  async function untilBack(): Promise<boolean> {
    for (let failures = 1; ; failures++) {
      try {
        await db.checkWritable();
        if (failures > 1) logger.info('database writable again, inbox resumed');
        return failures > 1;
      } catch (error) {
        if (failures === 1) logger.warn('database not writable, inbox paused', { error: errorText(error) });
        await delay(backOffMs(failures, probe), undefined, { signal: stopping });
      }
    }
  }

  async function retryWhile<T>(
    work: () => Promise<T>,
    { signal, outages }: { signal: AbortSignal; outages: readonly Outage[] },
  ): Promise<T> {
    for (let failures = 1, tries = 1; ; failures++, tries++) {
      try {
        return await work();
      } catch (error) {
        signal.throwIfAborted();
        const outage = outageOf(error);
        probing ??= untilBack().finally(() => (probing = undefined));
        if (await raceAbort(probing, signal)) failures = 0;
        // the probe passed, but the work failed because of an outage that affects only its table, or has ended in the meantime
        else if (outage !== undefined && outages.includes(outage))
          await delay(backOffMs(tries, probe), undefined, { signal });
        else if (failures >= maxFailures) throw error;
      }
    }
  }

  return {
    retryWhileDatabaseIsDown: async (work, signal) => await retryWhile(work, { signal, outages: ['unavailable'] }),
    retryWhileDatabaseIsDownOrBusy: async (work, signal) =>
      await retryWhile(work, { signal, outages: ['unavailable', 'busy'] }),
  };
}
