import { appendEvents } from '@taskwire/outbox';
import type { EventType } from '@taskwire/contracts';
import { isoMicros, nextTimestamp, query, type Tx } from '@taskwire/postgres';
import { auditEntriesOf } from '../domain/audit-entries.ts';
import type { AuditContext } from '../domain/audit-context.ts';
import type { DecideChange, StoredUser, User } from '../app/ports/users.ts';
import { isAnotherAddress, pendingEmailAfter, pendingEmailEnd, type UserChange } from '../domain/user-change.ts';
import { requesterOf } from '../domain/link-request.ts';
import { actorOf, lockAdmins, appendAccountEvent, appendAdminAdded } from './account-events.ts';
import { openLink, revokeLinks, type LinkLifetimes } from './account-link-rows.ts';
import { appendAudit } from './audit-rows.ts';
import { revokeUndoLinksSince, requireUnreserved } from './undo-links.ts';
import { restorableUntil, storedUserColumns } from './user-rows.ts';

export const findUser = {
  name: 'users.find',
  text: `
    SELECT ${storedUserColumns} FROM users WHERE users.id = $1`,
};

export type UserRowChange = {
  id: string;
  context: AuditContext;
  decide: DecideChange;
  /** The lifetimes of links that the change creates. */
  lifetimes: LinkLifetimes;
  /** The number of days within which a deletion can be reversed. */
  restoreDays: number;
};

/** Changes a user in the caller's transaction, under a lock, with all consequences; returns undefined if the user never existed. */
export async function changeUserRow(
  tx: Tx,
  { id, context, decide, ...settings }: UserRowChange,
): Promise<StoredUser | undefined> {
  const [user] = await query<StoredUser>(tx, `${findUser.text} FOR NO KEY UPDATE`, [id]);
  if (user === undefined) return undefined;
  const change = await decide(user, async () => await isThereAnotherAdmin(tx, id));
  if (change === undefined || Object.keys(change).length === 0) return user;
  const changed = await applyChange(tx, user, change);
  await appendUserEvent(tx, change.deleted === true ? 'auth.user.deleted' : 'auth.user.changed', changed);
  for (const audited of auditEntriesOf(user, change)) {
    await appendAudit(tx, { ...context, ...audited, subject: { kind: 'user', id }, outcome: 'success' });
  }
  await followUp(tx, { before: user, change, after: changed, context, ...settings });
  return changed;
}

export async function appendUserEvent(
  tx: Tx,
  type: EventType & `auth.user.${string}`,
  user: Pick<User, 'id' | 'updated_at'>,
): Promise<void> {
  await appendEvents(tx, [{ type, aggregateId: user.id, payload: { user_id: user.id, timestamp: user.updated_at } }]);
}

// The row must be locked by an earlier statement: an UPDATE that had to wait for a log-in would have read the clock before it waited, and
// tokens_valid_after would be older than the token issued at that log-in.
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
    SELECT ${nextTimestamp('updated_at')} AS at FROM users WHERE id = $1
  ) stamp
  WHERE users.id = $1
  RETURNING ${storedUserColumns}`;

const endSessions = `
  UPDATE sessions SET ended_at = clock_timestamp(), end_reason = $2 WHERE user_id = $1 AND ended_at IS NULL`;

// a user's consent to administration applies to the role at that time; a new role requires a new consent
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
    pendingEmailAfter(user, change),
  ]);
  if (changed === undefined) throw new Error('a locked user could not be changed: they do not exist');
  if (endsSessions !== undefined) await query(tx, endSessions, [user.id, endsSessions]);
  else if (role !== user.role) await query(tx, endAdministration, [user.id]);
  return changed;
}

type Changed = Pick<UserRowChange, 'context' | 'lifetimes' | 'restoreDays'> & {
  before: StoredUser;
  change: UserChange;
  after: StoredUser;
};

/** Applies a change's consequences for mailed links, and requests the notifications about it. */
async function followUp(tx: Tx, changed: Changed): Promise<void> {
  const { before, change, after } = changed;
  const { id: user_id, updated_at: timestamp } = after;
  if (change.deleted === true) return await followDeletion(tx, changed);
  if (change.endsSessions !== undefined)
    await appendAccountEvent(tx, 'auth.account.access_ended', { user_id, timestamp });
  if (isAnotherAddress(before, change)) await moveLinks(tx, changed);
  else await followPending(tx, changed);
  await followPassword(tx, changed);
  await followRole(tx, changed);
}

/** Ends links to the old address. For some time the old address can take the account back, unless the change was itself an undo. */
async function moveLinks(tx: Tx, { before, change, after: { id, email }, context, lifetimes }: Changed): Promise<void> {
  await requireUnreserved(tx, email, id);
  await revokeLinks(tx, id, ['verify_email', 'reset_password', 'confirm_email'], 'email_changed');
  if (change.endsSessions === 'email_undone' || (await revokeUndoLinksSince(tx, id, email))) return;
  const link = { userId: id, purpose: 'undo_email', email: before.email } as const;
  await openLink(tx, { ...link, requestedBy: requesterOf(context.actor, id), origin: context.origin }, lifetimes);
}

async function followPending(tx: Tx, { before, change, after, context, lifetimes }: Changed): Promise<void> {
  const { id, pending_email: pending } = after;
  if (typeof change.pendingEmail === 'string') {
    const link = { userId: id, purpose: 'confirm_email', email: change.pendingEmail } as const;
    await openLink(tx, { ...link, requestedBy: requesterOf(context.actor, id), origin: context.origin }, lifetimes);
  } else if (before.pending_email !== null && pending === null) {
    await revokeLinks(tx, id, ['confirm_email'], pendingEmailEnd(change));
  }
}

async function followPassword(tx: Tx, { change, after, context, lifetimes }: Changed): Promise<void> {
  const { id, email, updated_at: timestamp } = after;
  if (change.restored === true) {
    await requireUnreserved(tx, email, id);
    const link = { userId: id, purpose: 'reset_password', email } as const;
    await openLink(tx, { ...link, requestedBy: requesterOf(context.actor, id), origin: context.origin }, lifetimes);
    await appendAccountEvent(tx, 'auth.account.restored', { user_id: id, timestamp, actor: actorOf(context) });
  } else if (change.passwordHash !== undefined) {
    await revokeLinks(tx, id, ['reset_password'], 'password_changed');
    // a user who has undone a change knows about it, and gets a mail with a link for setting a password
    if (change.endsSessions === 'email_undone') return;
    await appendAccountEvent(tx, 'auth.account.password_changed', { user_id: id, timestamp });
  }
}

async function followRole(
  tx: Tx,
  { change, after: { id, role, updated_at: timestamp }, context }: Changed,
): Promise<void> {
  const actor = actorOf(context);
  if (change.role !== undefined) {
    await appendAccountEvent(tx, 'auth.account.role_changed', { user_id: id, timestamp, actor, role });
  }
  const isNewAdmin = role === 'admin' && (change.role !== undefined || change.restored === true);
  if (isNewAdmin) await appendAdminAdded(tx, { admin_id: id, timestamp, actor });
}

async function followDeletion(
  tx: Tx,
  { after: { id, updated_at: timestamp }, context, restoreDays }: Changed,
): Promise<void> {
  // links that undo a change are kept: they become valid again if the user is restored, and reserve the address until then
  await revokeLinks(tx, id, ['verify_email', 'reset_password', 'confirm_email'], 'user_deleted');
  // the schedule deletes only accounts that were never verified, so no one needs to be notified
  if (context.actor?.kind === 'system') return;
  const [deletion] = await query<{ until: string }>(tx, restorableAt, [id, restoreDays]);
  const restorable_until = restoreDays === 0 ? null : (deletion?.until ?? null);
  await appendAccountEvent(tx, 'auth.account.deleted', {
    user_id: id,
    timestamp,
    actor: actorOf(context),
    restorable_until,
  });
}

const restorableAt = `SELECT ${isoMicros(restorableUntil('$2'))} AS until FROM users WHERE users.id = $1`;

/** Counting takes no locks, so it can't cause a deadlock. */
async function isThereAnotherAdmin(tx: Tx, id: string): Promise<boolean> {
  await lockAdmins(tx);
  const others = await query(tx, "SELECT FROM users WHERE role = 'admin' AND deleted_at IS NULL AND id <> $1 LIMIT 1", [
    id,
  ]);
  return others.length > 0;
}
