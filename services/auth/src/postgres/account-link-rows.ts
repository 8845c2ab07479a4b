import { randomUUIDv7 } from 'node:crypto';
import { appendEvents } from '@taskwire/outbox';
import { isoMicros, query, type Queryable, type Tx } from '@taskwire/postgres';
import type { AccountLink, LinkPurpose } from '../app/account-links.ts';

/** How long links work, in seconds. */
export type LinkLifetimes = Readonly<Record<LinkPurpose, number>>;

const askedBy = {
  verify_email: 'auth.account.verification_requested',
  reset_password: 'auth.account.password_reset_requested',
} as const;

/**
 * Makes a link that takes the place of the open one, and asks for its mail. To be called with the user's row locked. The event is of an
 * aggregate of its own, the link: as long as nobody listens to these events, they must not hold back those of the user.
 */
export async function openLink(
  tx: Tx,
  { userId, purpose, email }: { userId: string; purpose: LinkPurpose; email: string },
  lifetimes: LinkLifetimes,
): Promise<void> {
  await voidLinks(tx, userId, [purpose], 'superseded');
  const id = randomUUIDv7();
  const [link] = await query<{ timestamp: string }>(tx, insertLink, [id, userId, purpose, email, lifetimes[purpose]]);
  if (link === undefined) throw new Error('an insert gave no row');
  const payload = { user_id: userId, link_id: id, timestamp: link.timestamp };
  await appendEvents(tx, [{ type: askedBy[purpose], aggregateId: id, payload }]);
}

const insertLink = `
  INSERT INTO account_links (id, user_id, purpose, email, created_at, expires_at)
  SELECT $1, $2, $3, $4, stamp.at, stamp.at + make_interval(secs => $5) FROM (SELECT clock_timestamp() AS at) stamp
  RETURNING ${isoMicros('account_links.created_at')} AS timestamp`;

/** Ends links that work. To be called with the user's row locked. */
export async function voidLinks(
  tx: Tx,
  userId: string,
  purposes: readonly LinkPurpose[],
  reason: 'superseded' | 'email_changed' | 'password_changed' | 'user_deleted',
): Promise<void> {
  await query(tx, endLinks, [userId, purposes, reason]);
}

const endLinks = `
  UPDATE account_links SET voided_at = clock_timestamp(), void_reason = $3
  WHERE user_id = $1 AND purpose = ANY ($2) AND used_at IS NULL AND voided_at IS NULL`;

/** Uses a link, if it works: of any number at once, the first. To be called with the user's row locked. */
export async function takeLink(tx: Tx, id: string): Promise<boolean> {
  return (await query(tx, useLink, [id])).length > 0;
}

const useLink = `
  UPDATE account_links SET used_at = clock_timestamp()
  WHERE id = $1 AND used_at IS NULL AND voided_at IS NULL AND expires_at > clock_timestamp()
  RETURNING id`;

/** Uses the link of this purpose that the user has, if there is one that works. To be called with the user's row locked. */
export async function takeOpenLink(tx: Tx, userId: string, purpose: LinkPurpose): Promise<void> {
  await query(tx, useOpenLink, [userId, purpose]);
}

const useOpenLink = `
  UPDATE account_links SET used_at = clock_timestamp()
  WHERE user_id = $1 AND purpose = $2 AND used_at IS NULL AND voided_at IS NULL AND expires_at > clock_timestamp()`;

export async function findLink(db: Queryable, id: string): Promise<AccountLink | undefined> {
  const [link] = await query<AccountLink>(db, { name: 'find_account_link', text: selectLink, values: [id] });
  return link;
}

const selectLink = `
  SELECT id, user_id AS "userId", purpose, email, ${isoMicros('account_links.expires_at')} AS "expiresAt",
    CASE WHEN used_at IS NOT NULL THEN 'used'
      WHEN voided_at IS NOT NULL THEN void_reason
      WHEN expires_at <= clock_timestamp() THEN 'expired'
    END AS "end"
  FROM account_links WHERE id = $1`;
