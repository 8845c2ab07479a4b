import { randomUUIDv7 } from 'node:crypto';
import { appendEvents } from '@taskwire/outbox';
import { isoMicros, query, type Queryable, type Tx } from '@taskwire/postgres';
import type { AccountLink, LinkEnd, LinkPurpose, LinkRequest, RequestedBy } from '../domain/account-link.ts';
import type { RequestOrigin } from '../domain/audit-context.ts';
import { shownOrigin } from '../domain/link-request.ts';

/** Lifetimes of links, in seconds. */
export type LinkLifetimes = Readonly<Record<LinkPurpose, number>>;

/** The cause of a link's mail request. */
const askedBy = {
  verify_email: 'auth.account.verification_requested',
  reset_password: 'auth.account.password_reset_requested',
  confirm_email: 'auth.account.email_change_requested',
  undo_email: 'auth.account.email_changed',
} as const;

/** Why a link ended before it was used or expired. */
export type RevokeReason = Exclude<LinkEnd, 'used' | 'expired' | 'unknown'>;

type NewLink = {
  userId: string;
  purpose: LinkPurpose;
  email: string;
  /** The requester, shown to the reader of the mail. */
  requestedBy: RequestedBy;
  origin: RequestOrigin;
};

/**
 * Creates a link, which replaces the open link with the same purpose, and requests its mail; returns the link's id. Links that undo a change don't
 * replace each other. Must be called with the user's row locked. The aggregate of the event is the link, so that these events don't block the
 * user's events while no consumer handles them.
 */
export async function openLink(
  tx: Tx,
  { userId, purpose, email, requestedBy, origin }: NewLink,
  lifetimes: LinkLifetimes,
): Promise<string> {
  if (purpose !== 'undo_email') await revokeLinks(tx, userId, [purpose], 'superseded');
  const id = randomUUIDv7();
  const { network, browser } = shownOrigin(origin);
  const values = [id, userId, purpose, email, lifetimes[purpose], requestedBy, network, browser];
  const [link] = await query<{ timestamp: string }>(tx, insertLink, values);
  if (link === undefined) throw new Error('an insert gave no row');
  const payload = { user_id: userId, link_id: id, timestamp: link.timestamp };
  await appendEvents(tx, [{ type: askedBy[purpose], aggregateId: id, payload }]);
  return id;
}

const insertLink = `
  INSERT INTO account_links
    (id, user_id, purpose, email, created_at, expires_at, requested_by, requested_network, requested_browser)
  SELECT $1, $2, $3, $4, stamp.at, stamp.at + make_interval(secs => $5), $6, $7, $8
  FROM (SELECT clock_timestamp() AS at) stamp
  RETURNING ${isoMicros('account_links.created_at')} AS timestamp`;

const isOpen = 'used_at IS NULL AND revoked_at IS NULL';

/** Ends valid links. Must be called with the user's row locked. */
export async function revokeLinks(
  tx: Tx,
  userId: string,
  purposes: readonly LinkPurpose[],
  reason: RevokeReason,
): Promise<void> {
  await query(tx, endLinks, [userId, purposes, reason]);
}

const endLinks = `
  UPDATE account_links SET revoked_at = clock_timestamp(), revoke_reason = $3
  WHERE user_id = $1 AND purpose = ANY ($2) AND ${isOpen}`;

/** Consumes a link if it is valid; of any number of concurrent calls, only the first succeeds. Must be called with the user's row locked. */
export async function consumeLink(tx: Tx, id: string): Promise<boolean> {
  return (await query(tx, useLink, [id])).length > 0;
}

const useLink = `
  UPDATE account_links SET used_at = clock_timestamp()
  WHERE id = $1 AND ${isOpen} AND expires_at > clock_timestamp()
  RETURNING id`;

/** Consumes the user's link of this purpose if a valid one exists. Must be called with the user's row locked. */
export async function consumeOpenLink(tx: Tx, userId: string, purpose: LinkPurpose): Promise<void> {
  await query(tx, useOpenLink, [userId, purpose]);
}

const useOpenLink = `
  UPDATE account_links SET used_at = clock_timestamp()
  WHERE user_id = $1 AND purpose = $2 AND ${isOpen} AND expires_at > clock_timestamp()`;

type LinkRow = Omit<AccountLink, 'requested' | 'unverifiedSince'> & {
  requestedBy: RequestedBy | null;
  unverifiedSince: string | null;
} & Pick<LinkRequest, 'network' | 'browser'>;

export async function findLink(db: Queryable, id: string): Promise<AccountLink | undefined> {
  const [row] = await query<LinkRow>(db, { ...selectLink, values: [id] });
  if (row === undefined) return undefined;
  const { requestedBy: by, network, browser, unverifiedSince, ...link } = row;
  return {
    ...link,
    requested: by === null ? undefined : { at: link.createdAt, by, network, browser },
    unverifiedSince: unverifiedSince ?? undefined,
  };
}

// restoring a deleted user also restores their undo links; therefore deletion is read from the user's row and not recorded in the link
export const selectLink = {
  name: 'account_links.find',
  text: `
    SELECT account_links.id, user_id AS "userId", purpose, account_links.email,
      ${isoMicros('account_links.expires_at')} AS "expiresAt",
      ${isoMicros('account_links.created_at')} AS "createdAt",
      requested_by AS "requestedBy", requested_network AS network, requested_browser AS browser,
      CASE WHEN users.self_registered AND NOT users.email_verified AND users.role = 'member'
        THEN ${isoMicros('users.created_at')} END AS "unverifiedSince",
      CASE WHEN used_at IS NOT NULL THEN 'used'
        WHEN users.deleted_at IS NOT NULL THEN 'user_deleted'
        WHEN revoked_at IS NOT NULL THEN revoke_reason
        WHEN expires_at <= clock_timestamp() THEN 'expired'
      END AS "end"
    FROM account_links JOIN users ON users.id = account_links.user_id WHERE account_links.id = $1`,
};
