import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createLoop, type Loop } from '@taskwire/lifecycle';
import type { Database } from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import type { OnApplied } from './applied-change.ts';
import { applyStates } from './apply.ts';
import type { UserCache } from './cache.ts';
import { introduceMissed, markKnownIntroduced, type IntroduceMissed } from './introductions.ts';
import type { DirectoryMetrics } from './metrics.ts';
import {
  renewReconciliation,
  markMissing,
  saveProgress,
  releaseReconciliation,
  restartReconciliation,
  resumeClaims,
  startRebuild,
  claimReconciliation,
  type Reconciliation,
  type ReconciliationSchedule,
} from './reconciliation-state.ts';
import type { UsersClient, UsersPage } from './users-client.ts';

export type ReconcilerTuning = ReconciliationSchedule & {
  /** How often to check whether a reconciliation is due, in milliseconds. */
  pollMs: number;
};

export type ReconcilerParts = {
  db: Database;
  users: UsersClient;
  telemetry: Telemetry;
  metrics: DirectoryMetrics;
  cache: UserCache;
  onApplied: OnApplied | undefined;
  introduce: IntroduceMissed | undefined;
  tuning: ReconcilerTuning;
};

/** The result of a rebuild: the number of users listed, changed, and stored but not listed. */
export type Rebuilt = { users: number; changed: number; missing: number };

export type Reconciler = Loop & {
  /** Runs a rebuild to completion, through outages of Auth; safe to run while events arrive. @throws the signal's reason when it is aborted. */
  rebuild(signal?: AbortSignal): Promise<Rebuilt>;
};

type Step =
  | { kind: 'page'; last: boolean; users: number; changed: number; missing: number }
  | { kind: 'nothing' }
  | { kind: 'unavailable'; detail: string; pauseMs: number };

/**
 * Compares the directory with Auth's list of users, page by page. Each page is committed together with the position in the list, so that a
 * reconciliation survives the death of its process. `applyStates` decides which states apply, so a user whom Auth lists as active again becomes
 * active here, whatever created the tombstone.
 */
export function createReconciler(parts: ReconcilerParts): Reconciler {
  const { db, users, telemetry, metrics, cache, onApplied, introduce, tuning } = parts;
  const { logger } = telemetry;
  const owner = randomUUID();

  async function step(as: string, signal: AbortSignal | undefined): Promise<Step> {
    if (users.open)
      return { kind: 'unavailable', detail: 'Auth is not queried while the breaker is open', pauseMs: tuning.pollMs };
    const reconciliation = await db.transaction(async (tx) => await claimReconciliation(tx, as, tuning));
    if (reconciliation === undefined) return { kind: 'nothing' };
    const answer = await users.listUsers(reconciliation, signal);
    if (answer.kind === 'ok') {
      const applied = await applyPage(as, reconciliation, answer.value);
      if (applied.kind === 'page' && applied.last && introduce !== undefined)
        await introduceMissed(db, introduce, { metrics, logger, signal });
      return applied;
    }
    if (answer.kind === 'unavailable') {
      if (answer.status === 400 && reconciliation.cursor !== null) await restartReconciliation(db.pool, as);
      return { kind: 'unavailable', detail: answer.detail, pauseMs: answer.retryAfterMs ?? tuning.pollMs };
    }
    return {
      kind: 'unavailable',
      detail: `Auth answered the list of users with ${answer.kind}`,
      pauseMs: tuning.pollMs,
    };
  }

  async function applyPage(as: string, reconciliation: Reconciliation, page: UsersPage): Promise<Step> {
    const last = page.next_cursor === null;
    const { now: askedAt, kind } = reconciliation;
    const highWatermark = page.data.map((user) => user.updated_at).reduce(later, null);
    const result = await db.transaction(async (tx) => {
      // the progress is saved first, because this locks the reconciliation: if another process has taken it over, that process also processes this
      // page
      if (!(await saveProgress(tx, as, { cursor: page.next_cursor, highWatermark }, tuning))) return undefined;
      const applied = await applyStates(tx, page.data, onApplied, { askedAt, rebuild: kind === 'rebuild' });
      tx.afterCommit(() => {
        for (const { after } of applied) cache.forget(after.id);
      });
      const ids = page.data.map(({ id }) => id);
      await markKnownIntroduced(tx, ids, reconciliation);
      if (last) await resumeClaims(tx);
      return { applied, missing: last && kind === 'rebuild' ? await markMissing(tx) : 0 };
    });
    if (result === undefined) return { kind: 'nothing' };
    const { applied, missing } = result;
    if (kind === 'catch_up' || kind === 'full') {
      const drifted = applied.filter(({ unannounced }) => unannounced);
      metrics.drifted(drifted.length);
      for (const { after } of drifted) {
        logger.warn('reconciliation found a change that no event announced', { user_id: after.id });
      }
    }
    if (last) logger.info('the user directory was compared with Auth', { reconciliation: kind });
    const changed = applied.filter((change) => change.changed).length;
    return { kind: 'page', last, users: page.data.length, changed, missing };
  }

  const loop = createLoop({
    name: 'user directory reconciliation',
    logger,
    intervalMs: tuning.pollMs,
    async tick(signal) {
      const done = await step(owner, signal);
      // the loop logs this, and backs off
      if (done.kind === 'unavailable' && !users.open && !signal.aborted) throw new Error(done.detail);
      return done.kind === 'page' && !done.last ? 'more' : 'idle';
    },
  });

  return {
    ...loop,
    async stop() {
      await loop.stop();
      await releaseReconciliation(db.pool, owner);
    },
    async rebuild(signal) {
      const rebuilder = randomUUID();
      const rebuilt: Rebuilt = { users: 0, changed: 0, missing: 0 };
      await db.transaction(async (tx) => await startRebuild(tx, rebuilder, tuning));
      for (;;) {
        signal?.throwIfAborted();
        const done = await step(rebuilder, signal);
        if (done.kind === 'nothing')
          throw new Error('another process has taken over the rebuild, and will complete it');
        if (done.kind === 'unavailable') {
          logger.warn('the rebuild of the user directory is waiting for Auth', { error: done.detail });
          await renewReconciliation(db.pool, rebuilder, tuning);
          // pauses are shorter than the lease, although the client may request a longer one; after each, the client reports whether Auth may be queried
          // again
          const pauseMs = Math.min(done.pauseMs, tuning.leaseMs / 3);
          await delay(pauseMs, undefined, { signal });
          continue;
        }
        rebuilt.users += done.users;
        rebuilt.changed += done.changed;
        rebuilt.missing += done.missing;
        if (done.last) return rebuilt;
      }
    },
  };
}

/**
 * Returns the later of two times. ISO 8601 times in UTC with the same precision can be compared as text; if the precision differs, they are compared
 * as dates.
 */
function later(a: string | null, b: string): string {
  if (a === null) return b;
  const [atA, atB] = [Date.parse(a), Date.parse(b)];
  if (atA !== atB) return atA > atB ? a : b;
  return a > b ? a : b;
}
