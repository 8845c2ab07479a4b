import { randomUUIDv7 } from 'node:crypto';
import { appendEvents } from '@taskwire/outbox';
import type { EventType } from '@taskwire/contracts';
import { query, type Tx } from '@taskwire/postgres';
import { auditedAs, type Occasion } from '../app/audit.ts';
import type { DecideChange, StoredUser, User, UserChange } from '../app/ports.ts';
import { requesterOf } from '../app/link-request.ts';
import { openLink, voidLinks, type LinkLifetimes, type VoidReason } from './account-link-rows.ts';
import { appendAudit } from './audit-rows.ts';
import { endUndoLinksSince, requireUnreserved } from './undo-links.ts';
import { foldEmail, storedUserColumns } from './user-rows.ts';

/** Admins go one at a time: "taskadmi" as a bigint. */
const adminsLock = '8386110886541357417';

export const findUser = `SELECT ${storedUserColumns} FROM users WHERE users.id = $1`;

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
): Promise<StoredUser | undefined> {
  const [user] = await query<StoredUser>(tx, `${findUser} FOR NO KEY UPDATE`, [id]);
  if (user === undefined) return undefined;
  const change = await decide(user, async () => await isThereAnotherAdmin(tx, id));
  if (change === undefined || Object.keys(change).length === 0) return user;
  const changed = await applyChange(tx, user, change);
  await announce(tx, change.deleted === true ? 'auth.user.deleted' : 'auth.user.changed', changed);
  for (const audited of auditedAs(user, change)) {
    await appendAudit(tx, { ...by, ...audited, subject: { kind: 'user', id }, outcome: 'success' });
  }
  await followUp(tx, { before: user, change, after: changed, by, lifetimes });
  return changed;
}

export async function announce(
  tx: Tx,
  type: EventType & `auth.user.${string}`,
  user: Pick<User, 'id' | 'updated_at'>,
): Promise<void> {
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
    pending_email = $9,
    version = version + 1,
    updated_at = stamp.at
  FROM (
    SELECT greatest(clock_timestamp(), updated_at + interval '1 microsecond') AS at FROM users WHERE id = $1
  ) stamp
  WHERE users.id = $1
  RETURNING ${storedUserColumns}`;

const endSessions = `
  UPDATE sessions SET ended_at = clock_timestamp(), end_reason = $2 WHERE user_id = $1 AND ended_at IS NULL`;

// whoever let a client administer did so with the role of then: more of it needs to be asked for again
const endAdministration = `
  UPDATE sessions SET ended_at = clock_timestamp(), end_reason = 'revoked'
  WHERE user_id = $1 AND payload IS NOT NULL AND ended_at IS NULL AND EXISTS (
    SELECT FROM json_each_text(payload->'resources') AS allowed(audience, scopes)
    WHERE 'admin' = ANY (string_to_array(scopes, ' '))
  )`;

async function applyChange(tx: Tx, user: StoredUser, change: UserChange): Promise<StoredUser> {
  const { email = user.email, name = user.name, role = user.role, deleted = false, endsSessions } = change;
  const [changed] = await query<StoredUser>(tx, updateUser, [
    user.id,
    email.trim(),
    name,
    role,
    change.emailVerified ?? user.email_verified,
    deleted,
    endsSessions !== undefined,
    change.passwordHash,
    pendingAfter(user, change),
  ]);
  if (changed === undefined) throw new Error('a locked user was not there to change');
  if (endsSessions !== undefined) await query(tx, endSessions, [user.id, endsSessions]);
  else if (role !== user.role) await query(tx, endAdministration, [user.id]);
  return changed;
}

/** Whoever asked for another address may not be who ends access, sets a password or moves the account: their change ends with these. */
function pendingAfter(user: StoredUser, change: UserChange): string | null {
  if (change.pendingEmail !== undefined) return change.pendingEmail;
  const ends = change.endsSessions !== undefined || change.passwordHash !== undefined || isAnotherAddress(user, change);
  return ends ? null : user.pending_email;
}

type Changed = { before: StoredUser; change: UserChange; after: StoredUser; by: Occasion; lifetimes: LinkLifetimes };

/** What a change means for mailed links, and what the user is told of it. */
async function followUp(tx: Tx, changed: Changed): Promise<void> {
  const { before, change, after } = changed;
  const { id, updated_at: timestamp } = after;
  if (change.deleted === true) {
    // links that undo a change stay: they work again when the user is restored, and reserve the address for that
    return await voidLinks(tx, id, ['verify_email', 'reset_password', 'confirm_email'], 'user_deleted');
  }
  if (change.endsSessions !== undefined) await tellAccount(tx, 'auth.account.access_ended', { id, timestamp });
  if (isAnotherAddress(before, change)) await moveLinks(tx, changed);
  else await followPending(tx, changed);
  if (change.passwordHash === undefined) return;
  await voidLinks(tx, id, ['reset_password'], 'password_changed');
  // who undid a change knows, and is mailed the link that sets a password
  if (change.endsSessions !== 'email_undone') await tellAccount(tx, 'auth.account.password_changed', { id, timestamp });
}

/** Links to the old address end; it can take the account back for some time, unless it gave it back itself. */
async function moveLinks(tx: Tx, { before, change, after: { id, email }, by, lifetimes }: Changed): Promise<void> {
  await requireUnreserved(tx, email, id);
  await voidLinks(tx, id, ['verify_email', 'reset_password', 'confirm_email'], 'email_changed');
  if (change.endsSessions === 'email_undone' || (await endUndoLinksSince(tx, id, email))) return;
  const link = { userId: id, purpose: 'undo_email', email: before.email } as const;
  await openLink(tx, { ...link, requestedBy: requesterOf(by.actor, id), origin: by.origin }, lifetimes);
}

async function followPending(tx: Tx, { before, change, after, by, lifetimes }: Changed): Promise<void> {
  const { id, pending_email: pending } = after;
  if (typeof change.pendingEmail === 'string') {
    const link = { userId: id, purpose: 'confirm_email', email: change.pendingEmail } as const;
    await openLink(tx, { ...link, requestedBy: requesterOf(by.actor, id), origin: by.origin }, lifetimes);
  } else if (before.pending_email !== null && pending === null) {
    await voidLinks(tx, id, ['confirm_email'], endOfPending(change));
  }
}

function endOfPending({ passwordHash, endsSessions }: UserChange): VoidReason {
  if (passwordHash !== undefined) return 'password_changed';
  return endsSessions === undefined ? 'change_cancelled' : 'access_ended';
}

/** An event of an aggregate of its own, as those of links: one that nobody takes must not hold back those of the user. */
async function tellAccount(
  tx: Tx,
  type: 'auth.account.access_ended' | 'auth.account.password_changed',
  { id, timestamp }: { id: string; timestamp: string },
): Promise<void> {
  await appendEvents(tx, [{ type, aggregateId: randomUUIDv7(), payload: { user_id: id, timestamp } }]);
}

function isAnotherAddress(user: StoredUser, { email }: UserChange): boolean {
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
