import { isoMicros, nextTimestamp, query, type Tx } from '@taskwire/postgres';
import type { UserEvent } from './events.ts';

/** Larger than any difference between the clocks of cooperating databases, in milliseconds. */
const aheadMs = 300_000;

/** A time that is newer than the stored state; otherwise the event would be considered old, and Auth would not be queried. */
const now = `
  SELECT ${isoMicros(nextTimestamp('max(updated_at)'))} AS at
  FROM directory_users WHERE id = $1`;

/**
 * Returns the event with the current time if it is dated in the future. An event takes effect until Auth has a state that is at least as new, so a
 * wrong clock or a forger could otherwise end access, or hide later events, until that future time. Returns `undefined` for an event with a plausible
 * time.
 */
export async function asOfNow(tx: Tx, event: UserEvent): Promise<UserEvent | undefined> {
  if (Date.parse(event.timestamp) <= Date.now() + aheadMs) return undefined;
  const [row] = await query<{ at: string }>(tx, now, [event.user_id]);
  if (row === undefined) throw new Error('the database returned no time');
  return { ...event, timestamp: row.at };
}
