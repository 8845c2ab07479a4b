import { events } from '@taskwire/contracts';
import { defineHandler, done, type Handler } from '@taskwire/inbox';
import type { Loop } from '@taskwire/lifecycle';
import type { Database, Tx } from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import type { OnApplied } from './advance.ts';
import { createUserCache } from './cache.ts';
import { createCheckUser } from './check-user.ts';
import { userEventTypes, type UserEvent, type UserEventType } from './events.ts';
import { settleIntroduction, type IntroduceMissed } from './introductions.ts';
import { noteEvent } from './note-event.ts';
import { createDirectoryMetrics } from './metrics.ts';
import { asOfNow } from './plausible-time.ts';
import { createReadThrough, type ReadThrough } from './read-through.ts';
import { createRefresher, type RefresherTuning } from './refresher.ts';
import { createSweeper, type Sweeper, type SweeperTuning } from './sweeper.ts';
import type { DirectoryUser } from './user.ts';
import type { UsersClient } from './users-client.ts';

export type UserDirectoryOptions = {
  db: Database;
  users: UsersClient;
  telemetry: Telemetry;
  /**
   * Called in the transaction in which a user became another, with their row locked; only when something changed that services act on. Also
   * for each user of the first fill (without `before`), so it is not the place to greet new users.
   */
  onApplied?: OnApplied;
  /**
   * What is done once for each new user, where this service does something: called for those whose creation no event has told of within a minute, in
   * the sweep that finds them. Not for the users of the first fill, nor for those that a rebuild brings back. The handler of `auth.user.created` calls
   * `introduced`.
   */
  introduce?: IntroduceMissed;
  /** For `checkUser`: whether accounts whose address is not verified may only reach themselves. Not unless it says so. */
  requireVerifiedEmail?: boolean;
  refresh?: Partial<RefresherTuning>;
  sweep?: Partial<SweeperTuning>;
};

export type UserDirectory = {
  /** For the inbox: `auth.user.*` and `auth.account.access_ended`. In no order, since every step can be repeated and overtaken. */
  handlers: Handler[];
  /** What the handlers do, for a service that does more with such an event: in its own transaction. */
  note(tx: Tx, type: UserEventType, event: UserEvent): Promise<void>;
  /** Notes that what is done for a new user is done by their event: in its own transaction. */
  introduced(tx: Tx, userId: string): Promise<void>;
  /** A user as they are held, at most half a second old; `undefined` for one who is not known (yet). */
  get(id: string): Promise<DirectoryUser | undefined>;
  /** The same, but asks Auth about one who is not known. */
  readThrough(id: string): Promise<ReadThrough>;
  /** The same, with the name and address of somebody who was deleted (`deletedAt`, ISO 8601) before the directory knew them. */
  readFormer(id: string, deletedAt: string): Promise<ReadThrough>;
  /** For `jwtAuthenticator`: what a token is worth by the directory. */
  checkUser: ReturnType<typeof createCheckUser>;
  /** Fetches users that events made stale. */
  refresher: Loop;
  /** Compares with Auth's list: at once on the first start, then on a schedule. `rebuild` does it from nothing. */
  sweeper: Sweeper;
};

const refreshDefaults: RefresherTuning = {
  // a fifth of the second in which a demotion must take effect
  pollMs: 200,
  concurrency: 4,
  // 10,000 changed users after an outage are there within four minutes, for a few percent of what one Auth process can serve
  perSecond: 50,
  leaseMs: 30_000,
  gapMs: 250,
  backOffBaseMs: 200,
  backOffMaxMs: 60_000,
  // about 6 s: more than a read replica lags when it is well
  behindTries: 6,
  // about 10 minutes
  unknownTries: 15,
};

const sweepDefaults: SweeperTuning = {
  pollMs: 5_000,
  // an event that was lost is made good within this
  everyMs: 5 * 60_000,
  fullEveryMs: 24 * 3_600_000,
  overlapMs: 10 * 60_000,
  leaseMs: 30_000,
};

/** One service's copy of Auth's users. One instance for a process; any number of processes share the tables. */
export function createUserDirectory(options: UserDirectoryOptions): UserDirectory {
  const { db, users, telemetry, onApplied, introduce, requireVerifiedEmail = false } = options;
  const cache = createUserCache(db);
  const metrics = createDirectoryMetrics(db, telemetry);
  const refreshTuning = { ...refreshDefaults, ...options.refresh };
  const parts = { db, users, telemetry, metrics, cache, onApplied, introduce, gapMs: refreshTuning.gapMs };
  const refresher = createRefresher({ ...parts, tuning: refreshTuning });

  async function note(tx: Tx, type: UserEventType, event: UserEvent): Promise<void> {
    const dated = await asOfNow(tx, event);
    if (dated !== undefined)
      telemetry.logger.warn('an event of a user is dated in the future, and taken as of now', {
        ...{ directory_user_id: event.user_id, event: type, dated: event.timestamp },
      });
    await noteEvent(tx, type, dated ?? event, { gapMs: refreshTuning.gapMs, onApplied });
    // where nothing is done for new users, none of them awaits it
    if (introduce === undefined && type === 'auth.user.created') await settleIntroduction(tx, event.user_id);
    tx.afterCommit(() => {
      cache.forget(event.user_id);
      refresher.wake();
    });
  }

  function handler(type: UserEventType): Handler {
    return defineHandler({
      type,
      // a service may have a handler of its own for the same event
      name: `user-directory ${type}`,
      schema: events[type],
      order: 'none',
      handle: async (event) => done(async (tx) => await note(tx, type, event)),
    });
  }

  return {
    handlers: userEventTypes.map(handler),
    note,
    introduced: settleIntroduction,
    get: cache.get,
    ...createReadThrough(parts),
    checkUser: createCheckUser(cache, { requireVerifiedEmail }),
    refresher,
    sweeper: createSweeper({ ...parts, tuning: { ...sweepDefaults, ...options.sweep } }),
  };
}
