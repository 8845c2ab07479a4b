import { createWorkerPool, type Loop, type WorkerPool } from '@taskwire/lifecycle';
import type { Database } from '@taskwire/postgres';
import { errorText } from '@taskwire/errors';
import type { Telemetry } from '@taskwire/telemetry';
import type { OnApplied } from './applied-change.ts';
import type { UserCache } from './cache.ts';
import { claimStale, finishFetch, type Claim, type FetchTuning } from './fetching.ts';
import type { DirectoryMetrics } from './metrics.ts';
import type { UsersClient } from './users-client.ts';

export type RefresherTuning = FetchTuning & {
  /** How often the table is polled when nothing wakes the refresher, in milliseconds. */
  pollMs: number;
  /** Maximum number of concurrent fetches. */
  concurrency: number;
  /** The maximum number of fetches per second by this process, which is the rate at which a backlog drains after an outage. */
  perSecond: number;
  /** How long a claim lasts, in milliseconds; longer than a fetch with all its retries. */
  leaseMs: number;
};

export type RefresherParts = {
  db: Database;
  users: UsersClient;
  telemetry: Telemetry;
  metrics: DirectoryMetrics;
  cache: UserCache;
  onApplied: OnApplied | undefined;
  tuning: RefresherTuning;
};

/**
 * Fetches stale rows, as many at a time as the concurrency and the rate allow; a hanging fetch occupies only one slot. While the breaker to Auth is
 * open, nothing is claimed; after a failed fetch, rows are claimed one by one until one succeeds.
 */
export function createRefresher(parts: RefresherParts): Loop {
  const { db, users, telemetry, metrics, cache, onApplied, tuning } = parts;
  const { logger } = telemetry;
  const pace = createPace(tuning.perSecond, Math.max(tuning.concurrency, tuning.perSecond * (tuning.pollMs / 1000)));
  let probing = false;

  const pool: WorkerPool<Claim> = createWorkerPool({
    name: 'user directory refresher',
    logger,
    intervalMs: tuning.pollMs,
    concurrency: tuning.concurrency,
    async claim(places) {
      // each row has its own back-off, so the pool itself need not pause after a failure
      const allowed = probing ? 1 - pool.running().length : places;
      const limit = Math.min(allowed, pace.available());
      if (limit < 1 || users.open) return [];
      const claims = await claimStale(db.pool, limit, tuning.leaseMs);
      pace.spend(claims.length);
      return claims;
    },
    run: fetchClaimed,
  });

  /** Never rejects: a row whose result could not be written becomes due when its lease ends. */
  async function fetchClaimed(claimed: Claim, signal: AbortSignal): Promise<void> {
    try {
      const answer = await users.getUser(claimed.id, signal);
      probing = answer.kind === 'unavailable' && answer.reason !== 'bad_answer';
      const { outcome } = await db.transaction(async (tx) => {
        tx.afterCommit(() => cache.forget(claimed.id));
        return await finishFetch(tx, claimed, answer, tuning, onApplied);
      });
      metrics.fetched(outcome);
      if (outcome === 'unknown') logger.warn('a user of the directory is unknown to Auth', { user_id: claimed.id });
      if (outcome === 'denied')
        logger.error('an event claimed a deletion that Auth denies; access restored', {
          user_id: claimed.id,
        });
    } catch (error) {
      metrics.fetched('failed');
      logger.warn('could not store a fetched user', { user_id: claimed.id, error: errorText(error) });
    }
  }

  return pool;
}

/** A token bucket that fills with `perSecond` and holds `burst`. */
function createPace(perSecond: number, burst: number) {
  let level = burst;
  let at = performance.now();
  return {
    available(): number {
      const now = performance.now();
      level = Math.min(burst, level + ((now - at) / 1000) * perSecond);
      at = now;
      return Math.floor(level);
    },
    spend(count: number): void {
      level -= count;
    },
  };
}
