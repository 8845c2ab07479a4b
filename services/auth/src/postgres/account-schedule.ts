import { query, type Database } from '@taskwire/postgres';
import { systemContext } from '../domain/audit-context.ts';
import type { UserChange } from '../domain/user-change.ts';
import type { LinkLifetimes } from './account-link-rows.ts';
import { changeUserRow } from './user-changes.ts';

/** The number of users per batch; a stopping process can stop after each batch. */
const batch = 100;

export type AccountScheduleOptions = {
  db: Database;
  lifetimes: LinkLifetimes;
  /** The number of days within which a deletion can be reversed. */
  restoreDays: number;
  /** The number of days after which a self-registered account that was never verified is deleted. */
  unverifiedDays: number;
  /** Unverified accounts that are kept: those with a logged-in user, on installations that don't require verified addresses. */
  keepUnverified: 'logged_in' | 'none';
};

/**
 * Applies scheduled changes to accounts: discards new addresses that were never confirmed, and deletes accounts that were never verified. Each user
 * is changed under a lock, with an event and an audit entry as for manual changes. Any number of replicas may run this concurrently.
 */
export async function keepAccountSchedule(options: AccountScheduleOptions): Promise<'more' | 'idle'> {
  const { unverifiedDays, keepUnverified } = options;
  const rounds = [
    await changeAll(options, { condition: isUnconfirmed, values: [] }, { pendingEmail: null }),
    await changeAll(
      options,
      { condition: isNeverVerified, values: [unverifiedDays, keepUnverified === 'logged_in'] },
      { deleted: true, endsSessions: 'user_deleted' },
    ),
  ];
  return rounds.includes(batch) ? 'more' : 'idle';
}

type Selection = { condition: string; values: readonly unknown[] };

async function changeAll(
  { db, lifetimes, restoreDays }: AccountScheduleOptions,
  { condition, values }: Selection,
  change: UserChange,
): Promise<number> {
  const due = `SELECT users.id FROM users WHERE ${condition}`;
  const users = await query<{ id: string }>(db.pool, `${due} ORDER BY users.id LIMIT ${batch}`, [...values]);
  for (const { id } of users) {
    await db.transaction(async (tx) => {
      const stillDue = `${due} AND users.id = $${values.length + 1}`;
      await changeUserRow(tx, {
        ...{ id, context: systemContext, lifetimes, restoreDays },
        decide: async () => ((await query(tx, stillDue, [...values, id])).length > 0 ? change : undefined),
      });
    });
  }
  return users.length;
}

// now() and not clock_timestamp(), which can't use an index
const isUnconfirmed = `
  users.pending_email IS NOT NULL AND NOT EXISTS (
    SELECT FROM account_links
    WHERE user_id = users.id AND purpose = 'confirm_email' AND used_at IS NULL AND revoked_at IS NULL AND expires_at > now()
  )`;

// only self-registered members: an admin who has set a user's role knows the user, and the last admin must never be deleted
const isNeverVerified = `
  users.deleted_at IS NULL AND NOT users.email_verified AND users.self_registered AND users.role = 'member'
  AND users.created_at < now() - make_interval(days => $1)
  AND NOT ($2 AND EXISTS (
    SELECT FROM sessions WHERE user_id = users.id AND ended_at IS NULL AND expires_at > now()
  ))`;
