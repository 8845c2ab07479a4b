import { events } from '@taskwire/contracts';
import { defineHandler, done, type Handler } from '@taskwire/inbox';
import type { Loop } from '@taskwire/lifecycle';
import type { Database, Tx } from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import type { OnApplied } from './applied-change.ts';
import { createUserCache } from './cache.ts';
import { createCheckUser } from './check-user.ts';
import { userEventTypes, type UserEvent, type UserEventType } from './events.ts';
import { markIntroduced, type IntroduceMissed } from './introductions.ts';
import { recordEvent } from './record-event.ts';
import { createDirectoryMetrics } from './metrics.ts';
import { asOfNow } from './plausible-time.ts';
import { createReadThrough, type ReadThrough } from './read-through.ts';
import { createRefresher, type RefresherTuning } from './refresher.ts';
import { createReconciler, type Reconciler, type ReconcilerTuning } from './reconciler.ts';
import type { DirectoryUser } from './user.ts';
import type { UsersClient } from './users-client.ts';

export type UserDirectoryOptions = {
  db: Database;
  users: UsersClient;
  telemetry: Telemetry;
  /**
   * Called in the transaction that changed a user, with their row locked; only if the change is relevant to services. Also called for each user of
   * the first fill (without `before`), so do not use it to welcome new users.
   */
  onApplied?: OnApplied;
  /**
   * The service's one-time action for a new user, if it has one. Called for users whose creation no event announced within a minute, in the
   * reconciliation that finds them. Not called for users of the first fill, nor for users whom a rebuild restores. The handler of `auth.user.created`
   * calls `introduced`.
   */
  introduce?: IntroduceMissed;
  /** For `checkUser`: whether accounts with an unverified address may only access themselves. Off by default. */
  requireVerifiedEmail?: boolean;
  refresh?: Partial<RefresherTuning>;
  reconcile?: Partial<ReconcilerTuning>;
};

export type UserDirectory = {
  /** Handlers for the inbox: `auth.user.*` and `auth.account.access_ended`. They need no order, since every step may be repeated or overtaken. */
  handlers: Handler[];
  /**
   * Does the work of the handlers, for a service that has its own handler of such an event; runs in the service's own transaction. `sourceEpoch` is
   * the epoch in the message.
   */
  record(tx: Tx, type: UserEventType, event: UserEvent, sourceEpoch: number): Promise<void>;
  /** Records that a new user has been introduced because of the event; runs in the service's own transaction. */
  introduced(tx: Tx, userId: string): Promise<void>;
  /** Returns the stored user, in a state that is at most half a second old; `undefined` for a user not known (yet). */
  get(id: string): Promise<DirectoryUser | undefined>;
  /** Like `get`, but queries Auth about an unknown user. */
  readThrough(id: string): Promise<ReadThrough>;
  /** Like `readThrough`, with the name and address of a user who was deleted (`deletedAt`, ISO 8601) before the directory knew them. */
  readFormer(id: string, deletedAt: string): Promise<ReadThrough>;
  /** Checks a token against the directory, for `jwtAuthenticator`. */
  checkUser: ReturnType<typeof createCheckUser>;
  /** Fetches users that events made stale. */
  refresher: Loop;
  /** Compares the directory with Auth's list: at once on the first start, then on a schedule. `rebuild` compares all users. */
  reconciler: Reconciler;
};

const refreshDefaults: RefresherTuning = {
  // a fifth of the second within which a demotion must take effect
  pollMs: 200,
  concurrency: 4,
  // fetches 10,000 users that changed during an outage within four minutes, which takes a few percent of the capacity of one Auth process
  perSecond: 50,
  leaseMs: 30_000,
  gapMs: 250,
  backOff: { baseMs: 200, capMs: 60_000, jitter: 'equal' },
  // about 6 s: longer than the lag of a healthy read replica
  behindTries: 6,
  // about 10 minutes
  unknownTries: 15,
};

const reconcilerDefaults: ReconcilerTuning = {
  pollMs: 5_000,
  // a lost event is repaired within this time
  everyMs: 5 * 60_000,
  fullEveryMs: 24 * 3_600_000,
  overlapMs: 10 * 60_000,
  leaseMs: 30_000,
};

/** One service's copy of Auth's users. Create one instance per process; any number of processes share the tables. */
export function createUserDirectory(options: UserDirectoryOptions): UserDirectory {
  const { db, users, telemetry, onApplied, introduce, requireVerifiedEmail = false } = options;
  const cache = createUserCache(db);
  const metrics = createDirectoryMetrics(db, telemetry);
  const refreshTuning = { ...refreshDefaults, ...options.refresh };
  const parts = { db, users, telemetry, metrics, cache, onApplied, introduce, gapMs: refreshTuning.gapMs };
  const refresher = createRefresher({ ...parts, tuning: refreshTuning });

  async function record(tx: Tx, type: UserEventType, event: UserEvent, sourceEpoch: number): Promise<void> {
    const dated = await asOfNow(tx, event);
    if (dated !== undefined)
      telemetry.logger.warn('a user event is dated in the future and treated as dated now', {
        ...{ user_id: event.user_id, event: type, dated: event.timestamp },
      });
    await recordEvent(tx, type, dated ?? event, { gapMs: refreshTuning.gapMs, sourceEpoch, onApplied });
    // without `introduce`, no new user must wait for an introduction
    if (introduce === undefined && type === 'auth.user.created') await markIntroduced(tx, event.user_id);
    tx.afterCommit(() => {
      cache.forget(event.user_id);
      refresher.wake();
    });
  }

  function handler(type: UserEventType): Handler {
    return defineHandler({
      type,
      // a service may have its own handler for the same event
      name: `user-directory ${type}`,
      schema: events[type],
      order: 'none',
      handle: async (event, { sourceEpoch }) => done(async (tx) => await record(tx, type, event, sourceEpoch)),
    });
  }

  return {
    handlers: userEventTypes.map(handler),
    record,
    introduced: markIntroduced,
    get: cache.get,
    ...createReadThrough(parts),
    checkUser: createCheckUser(cache, { requireVerifiedEmail }),
    refresher,
    reconciler: createReconciler({ ...parts, tuning: { ...reconcilerDefaults, ...options.reconcile } }),
  };
}
