import { isoMicros, isSqlState, query, sqlState, type Queryable, type Tx } from '@taskwire/postgres';
import { foldEmail } from '../domain/email-address.ts';

// An open link of purpose undo_email is both an old address's right to take the account back and the reservation of that address.

const canUndo = `purpose = 'undo_email' AND used_at IS NULL AND revoked_at IS NULL AND expires_at > clock_timestamp()`;

/** The expression with which addresses are compared; it must match the index account_links_reserved. */
const foldedAddress = 'lower(account_links.email COLLATE "C")';

/** Thrown if another account may take this address back, in order to roll back the transaction that would use the address. */
class AddressReserved extends Error {
  override readonly name = 'AddressReserved';
}

/** Whether a transaction failed because another account has the address, or may take it back. */
export function isTakenAddress(error: unknown): boolean {
  return error instanceof AddressReserved || isSqlState(error, sqlState.uniqueViolation, 'users_email_key');
}

/** Whether an account other than `userId` may take this address back. */
export async function isReserved(db: Queryable, email: string, userId: string | undefined): Promise<boolean> {
  return (await query(db, findReservation, [foldEmail(email), userId ?? null])).length > 0;
}

const findReservation = `
  SELECT FROM account_links WHERE ${foldedAddress} = $1 AND ${canUndo} AND user_id IS DISTINCT FROM $2 LIMIT 1`;

/**
 * Must be called after an address has been written to `users`. An earlier check could miss a reservation: the write waits for a concurrent change by
 * which another account leaves the address, and that change creates the reservation.
 * @throws an error that `isTakenAddress` recognises.
 */
export async function requireUnreserved(tx: Tx, email: string, userId: string): Promise<void> {
  if (await isReserved(tx, email, userId)) throw new AddressReserved('another account may take the address back');
}

/**
 * Ends the links of all addresses that the account acquired after this moment. An older address always takes precedence: a thief who took over the
 * account can't have added it, but may have added a later one.
 */
export async function revokeUndoLinksAfter(tx: Tx, userId: string, moment: string): Promise<void> {
  await query(tx, endAfter, [userId, moment]);
}

const endAfter = `
  UPDATE account_links SET revoked_at = clock_timestamp(), revoke_reason = 'email_changed'
  WHERE user_id = $1 AND created_at > $2::timestamptz AND ${canUndo}`;

/**
 * Ends the link of the address that the user has moved back to, and the links of later addresses, as if the change had been undone. Returns false if the
 * address had no such link. Must be called with the user's row locked.
 */
export async function revokeUndoLinksSince(tx: Tx, userId: string, email: string): Promise<boolean> {
  const [link] = await query<{ since: string }>(tx, findSince, [userId, foldEmail(email)]);
  if (link === undefined) return false;
  await query(tx, endSince, [userId, link.since]);
  return true;
}

const findSince = `
  SELECT ${isoMicros('account_links.created_at')} AS since FROM account_links
  WHERE user_id = $1 AND ${foldedAddress} = $2 AND ${canUndo} ORDER BY account_links.created_at LIMIT 1`;

const endSince = endAfter.replace('created_at >', 'created_at >=');
