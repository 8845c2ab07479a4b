import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createLoop, type Loop } from '@taskwire/lifecycle';
import type { Database } from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import type { OnApplied } from './advance.ts';
import { applyStates } from './apply.ts';
import type { UserCache } from './cache.ts';
import { introduceMissed, settleKnown, type IntroduceMissed } from './introductions.ts';
import type { DirectoryMetrics } from './metrics.ts';
import {
  keepSweep,
  markUnlisted,
  moveSweep,
  releaseSweep,
  restartSweep,
  resumeClaims,
  startRebuild,
  takeSweep,
  type Sweep,
  type SweepSchedule,
} from './sweep-state.ts';
import type { UsersClient, UsersPage } from './users-client.ts';

export type SweeperTuning = SweepSchedule & {
  /** How often to check whether a sweep is due, in milliseconds. */
  pollMs: number;
};

export type SweeperParts = {
  db: Database;
  users: UsersClient;
  telemetry: Telemetry;
  metrics: DirectoryMetrics;
  cache: UserCache;
  onApplied: OnApplied | undefined;
  introduce: IntroduceMissed | undefined;
  tuning: SweeperTuning;
};

/** The result of a rebuild: the number of users listed, changed, and stored but not listed. */
export type Rebuilt = { users: number; changed: number; unlisted: number };

export type Sweeper = Loop & {
  /** Runs a rebuild to completion, through outages of Auth; safe while events arrive. @throws the signal's reason when it is aborted. */
  rebuild(signal?: AbortSignal): Promise<Rebuilt>;
};

type Step =
  | { kind: 'page'; last: boolean; users: number; changed: number; unlisted: number }
  | { kind: 'nothing' }
  | { kind: 'unavailable'; detail: string; pauseMs: number };

/**
 * Compares the directory with Auth's list of users, page by page. Each page and the position in the list are one transaction, so that a sweep
 * survives its process. `applyStates` decides which states apply, so a user whom Auth lists as active again becomes active here, whatever created the
 * tombstone.
 */
export function createSweeper(parts: SweeperParts): Sweeper {
  const { db, users, telemetry, metrics, cache, onApplied, introduce, tuning } = parts;
  const { logger } = telemetry;
  const holder = randomUUID();

  async function step(as: string, signal: AbortSignal | undefined): Promise<Step> {
    if (users.open) return { kind: 'unavailable', detail: 'Auth is not asked', pauseMs: tuning.pollMs };
    const sweep = await db.transaction(async (tx) => await takeSweep(tx, as, tuning));
    if (sweep === undefined) return { kind: 'nothing' };
    const answer = await users.listUsers(sweep, signal);
    if (answer.kind === 'ok') {
      const taken = await takePage(as, sweep, answer.value);
      if (taken.kind === 'page' && taken.last && introduce !== undefined)
        await introduceMissed(db, introduce, { metrics, logger, signal });
      return taken;
    }
    if (answer.kind === 'unavailable') {
      if (answer.status === 400 && sweep.cursor !== null) await restartSweep(db.pool, as);
      return { kind: 'unavailable', detail: answer.detail, pauseMs: answer.retryAfterMs ?? tuning.pollMs };
    }
    return { kind: 'unavailable', detail: `Auth answered its list with ${answer.kind}`, pauseMs: tuning.pollMs };
  }

  async function takePage(as: string, sweep: Sweep, page: UsersPage): Promise<Step> {
    const last = page.next_cursor === null;
    const seenUpTo = page.data.map((user) => user.updated_at).reduce(later, null);
    const taken = await db.transaction(async (tx) => {
      // first, because it locks the sweep: a process that has taken it over also processes this page
      if (!(await moveSweep(tx, as, { cursor: page.next_cursor, seenUpTo }, tuning))) return undefined;
      const question = { askedAt: sweep.now, rebuild: sweep.kind === 'rebuild' };
      const advances = await applyStates(tx, page.data, onApplied, question);
      tx.afterCommit(() => {
        for (const { after } of advances) cache.forget(after.id);
      });
      await settleKnown(
        tx,
        page.data.map(({ id }) => id),
        sweep,
      );
      if (last) await resumeClaims(tx);
      const unlisted = last && sweep.kind === 'rebuild' ? await markUnlisted(tx) : 0;
      return { advances, unlisted };
    });
    if (taken === undefined) return { kind: 'nothing' };
    const { advances, unlisted } = taken;
    const drifted = advances.filter(({ unannounced }) => unannounced);
    if (sweep.kind === 'catch_up' || sweep.kind === 'full') {
      metrics.drifted(drifted.length);
      for (const { after } of drifted) {
        logger.warn('reconciliation found a change that no event announced', { directory_user_id: after.id });
      }
    }
    if (last) logger.info('the user directory was compared with Auth', { sweep: sweep.kind });
    const changed = advances.filter((advance) => advance.changed).length;
    return { kind: 'page', last, users: page.data.length, changed, unlisted };
  }

  const loop = createLoop({
    name: 'user directory sweeper',
    logger,
    intervalMs: tuning.pollMs,
    async tick(signal) {
      const done = await step(holder, signal);
      // the loop logs this, and backs off
      if (done.kind === 'unavailable' && !users.open && !signal.aborted) throw new Error(done.detail);
      return done.kind === 'page' && !done.last ? 'more' : 'idle';
    },
  });

  return {
    ...loop,
    async stop() {
      await loop.stop();
      await releaseSweep(db.pool, holder);
    },
    async rebuild(signal) {
      const rebuilder = randomUUID();
      const rebuilt: Rebuilt = { users: 0, changed: 0, unlisted: 0 };
      await db.transaction(async (tx) => await startRebuild(tx, rebuilder, tuning));
      for (;;) {
        signal?.throwIfAborted();
        const done = await step(rebuilder, signal);
        if (done.kind === 'nothing') throw new Error('another process has taken the rebuild over, and ends it');
        if (done.kind === 'unavailable') {
          logger.warn('the rebuild of the user directory waits', { error: done.detail });
          await keepSweep(db.pool, rebuilder, tuning);
          // the pause may exceed the lease; the client knows when Auth may be queried again
          const pauseMs = Math.min(done.pauseMs, tuning.leaseMs / 3);
          await delay(pauseMs, undefined, { signal });
          continue;
        }
        rebuilt.users += done.users;
        rebuilt.changed += done.changed;
        rebuilt.unlisted += done.unlisted;
        if (done.last) return rebuilt;
      }
    },
  };
}

/** ISO 8601 in UTC with the same precision sorts as text. If the precision differs, the dates decide. */
function later(a: string | null, b: string): string {
  if (a === null) return b;
  const [atA, atB] = [Date.parse(a), Date.parse(b)];
  if (atA !== atB) return atA > atB ? a : b;
  return a > b ? a : b;
}
