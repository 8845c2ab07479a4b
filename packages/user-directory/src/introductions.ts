import { query, type Database, type Tx } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';
import type { DirectoryMetrics } from './metrics.ts';
import type { Reconciliation } from './reconciliation-state.ts';
import { toUser, type DirectoryUser, type UserRow } from './user.ts';

/**
 * Runs the service's one-time action for a new user, in the caller's transaction, for a user whose creation no event announced. Returns false if it
 * had run before. The event may still arrive late, so this function and the event's handler need a record in the database that makes the second run a
 * no-op.
 */
export type IntroduceMissed = (tx: Tx, user: DirectoryUser & { isDeleted: false }) => Promise<boolean>;

const markOneIntroduced = `
  INSERT INTO directory_users (id, awaits_introduction) VALUES ($1, false)
  ON CONFLICT (id) DO UPDATE SET awaits_introduction = false WHERE directory_users.awaits_introduction`;

/** Records in the caller's transaction that the event of a user's creation was received. */
export async function markIntroduced(tx: Tx, userId: string): Promise<void> {
  await query(tx, markOneIntroduced, [userId]);
}

/** Users who existed before the directory was complete for the first time, or before the directory lost them, are not new. */
const markOldIntroduced = `
  UPDATE directory_users SET awaits_introduction = false
  WHERE id = ANY($1::uuid[]) AND awaits_introduction AND updated_at <= coalesce($2::timestamptz, 'infinity')`;

/** Records in the caller's transaction that users of a page are older than the time up to which the directory was once complete. */
export async function markKnownIntroduced(
  tx: Tx,
  ids: readonly string[],
  { completeUpTo }: Reconciliation,
): Promise<void> {
  await query(tx, markOldIntroduced, [ids, completeUpTo]);
}

/** How long the event of a creation may take, in milliseconds; if the event arrives later, the introduction has already been made. */
const graceMs = 60_000;
/** Each introduction runs a few statements of `introduce`; with more users, the row locks would block other transactions for too long. */
const batch = 50;

const findMissed = `
  SELECT id, email, email_verified, name, role, version, is_deleted, tokens_valid_after, fetched_at
  FROM directory_users
  WHERE awaits_introduction AND fetched_at IS NOT NULL AND NOT is_deleted AND deletion_claimed_at IS NULL
    AND updated_at < clock_timestamp() - $1::integer * interval '1 millisecond'
  ORDER BY id LIMIT ${batch}
  FOR UPDATE SKIP LOCKED`;

/** Introduces the users whose creation no event announced in time. */
export async function introduceMissed(
  db: Database,
  introduce: IntroduceMissed,
  { metrics, logger, signal }: { metrics: DirectoryMetrics; logger: Logger; signal: AbortSignal | undefined },
): Promise<void> {
  for (;;) {
    const { found, missed } = await db.transaction(async (tx) => {
      const rows = await query<UserRow>(tx, findMissed, [graceMs]);
      const introduced: string[] = [];
      for (const row of rows) {
        const user = toUser(row);
        if (user?.isDeleted === false && (await introduce(tx, user))) introduced.push(user.id);
        await markIntroduced(tx, row.id);
      }
      return { found: rows.length, missed: introduced };
    });
    metrics.missed(missed.length);
    for (const id of missed)
      logger.error('no event announced a new user; introduced by the reconciliation', {
        user_id: id,
      });
    if (found < batch || signal?.aborted === true) return;
  }
}
