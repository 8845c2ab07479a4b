import { randomUUIDv7 } from 'node:crypto';
import { appendEvents } from '@taskwire/outbox';
import type { EventType } from '@taskwire/contracts';
import { query, type Tx } from '@taskwire/postgres';
import { auditedAs, type Occasion } from '../app/audit.ts';
import type { DecideChange, InternalUser, User, UserChange } from '../app/ports.ts';
import { openLink, voidLinks, type LinkLifetimes } from './account-link-rows.ts';
import { appendAudit } from './audit-rows.ts';
import { foldEmail, internalUserColumns } from './user-rows.ts';

/** Admins go one at a time: "taskadmi" as a bigint. */
const adminsLock = '8386110886541357417';

export const findUser = `SELECT ${internalUserColumns} FROM users WHERE users.id = $1`;

export type UserRowChange = {
  id: string;
  by: Occasion;
  decide: DecideChange;
  /** Of links that the change calls for. */
  lifetimes: LinkLifetimes;
};

/** Changes a user in the caller's transaction, under a lock, with all that follows from it; undefined when there never was one. */
export async function changeUserRow(
  tx: Tx,
  { id, by, decide, lifetimes }: UserRowChange,
): Promise<InternalUser | undefined> {
  const [user] = await query<InternalUser>(tx, `${findUser} FOR NO KEY UPDATE`, [id]);
  if (user === undefined) return undefined;
  const change = await decide(user, async () => await isThereAnotherAdmin(tx, id));
  if (change === undefined || Object.keys(change).length === 0) return user;
  const changed = await applyChange(tx, user, change);
  await announce(tx, change.deleted === true ? 'auth.user.deleted' : 'auth.user.changed', changed);
  for (const audited of auditedAs(user, change)) {
    await appendAudit(tx, { ...by, ...audited, subject: { kind: 'user', id }, outcome: 'success' });
  }
  await followUp(tx, user, change, changed, lifetimes);
  return changed;
}

export async function announce(tx: Tx, type: EventType & `auth.user.${string}`, user: User): Promise<void> {
  await appendEvents(tx, [{ type, aggregateId: user.id, payload: { user_id: user.id, timestamp: user.updated_at } }]);
}

// The row is locked by an earlier statement: an UPDATE that had to wait for a log-in would have read the clock before it waited, and
// tokens_valid_after would be older than the token that the log-in was given.
const updateUser = `
  UPDATE users SET
    email = $2, name = $3, role = $4, email_verified = $5,
    password_hash = CASE WHEN $6 THEN NULL ELSE coalesce($8, password_hash) END,
    deleted_at = CASE WHEN $6 THEN stamp.at END,
    tokens_valid_after = CASE WHEN $7 THEN stamp.at ELSE tokens_valid_after END,
    version = version + 1,
    updated_at = stamp.at
  FROM (
    SELECT greatest(clock_timestamp(), updated_at + interval '1 microsecond') AS at FROM users WHERE id = $1
  ) stamp
  WHERE users.id = $1
  RETURNING ${internalUserColumns}`;

const endSessions = `
  UPDATE sessions SET ended_at = clock_timestamp(), end_reason = $2 WHERE user_id = $1 AND ended_at IS NULL`;

async function applyChange(tx: Tx, user: InternalUser, change: UserChange): Promise<InternalUser> {
  const { email = user.email, name = user.name, role = user.role, deleted = false, endsSessions } = change;
  // a new address is not the one that was verified; another spelling of it is
  const verified = change.emailVerified ?? (user.email_verified && !isAnotherAddress(user, change));
  const [changed] = await query<InternalUser>(tx, updateUser, [
    user.id,
    email.trim(),
    name,
    role,
    verified,
    deleted,
    endsSessions !== undefined,
    change.passwordHash,
  ]);
  if (changed === undefined) throw new Error('a locked user was not there to change');
  if (endsSessions !== undefined) await query(tx, endSessions, [user.id, endsSessions]);
  return changed;
}

/** What a change means for mailed links, and what the user is told of it. */
async function followUp(
  tx: Tx,
  before: InternalUser,
  change: UserChange,
  { id, email, updated_at: timestamp }: InternalUser,
  lifetimes: LinkLifetimes,
): Promise<void> {
  if (change.deleted === true) return await voidLinks(tx, id, ['verify_email', 'reset_password'], 'user_deleted');
  if (change.endsSessions !== undefined) await tellAccount(tx, 'auth.account.access_ended', { id, timestamp });
  if (isAnotherAddress(before, change)) {
    await voidLinks(tx, id, ['verify_email', 'reset_password'], 'email_changed');
    await openLink(tx, { userId: id, purpose: 'verify_email', email }, lifetimes);
  }
  if (change.passwordHash !== undefined) {
    await voidLinks(tx, id, ['reset_password'], 'password_changed');
    await tellAccount(tx, 'auth.account.password_changed', { id, timestamp });
  }
}

/** An event of an aggregate of its own, as those of links: one that nobody takes must not hold back those of the user. */
async function tellAccount(
  tx: Tx,
  type: 'auth.account.access_ended' | 'auth.account.password_changed',
  { id, timestamp }: { id: string; timestamp: string },
): Promise<void> {
  await appendEvents(tx, [{ type, aggregateId: randomUUIDv7(), payload: { user_id: id, timestamp } }]);
}

function isAnotherAddress(user: InternalUser, { email }: UserChange): boolean {
  return email !== undefined && foldEmail(email) !== foldEmail(user.email);
}

/** The lock comes after the one of the user's row, everywhere, and counting locks nothing: so nobody waits in a circle. */
async function isThereAnotherAdmin(tx: Tx, id: string): Promise<boolean> {
  await query(tx, 'SELECT pg_advisory_xact_lock($1::bigint)', [adminsLock]);
  const others = await query(tx, "SELECT FROM users WHERE role = 'admin' AND deleted_at IS NULL AND id <> $1 LIMIT 1", [
    id,
  ]);
  return others.length > 0;
}
