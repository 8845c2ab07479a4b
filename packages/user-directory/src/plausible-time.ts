import { isoMicros, query, type Tx } from '@taskwire/postgres';
import type { UserEvent } from './events.ts';

/** Further ahead of this clock than databases that agree enough to work together ever are, in milliseconds. */
const aheadMs = 300_000;

/** Newer than what is held, or else the event would be taken as old, and nobody would ask Auth. */
const now = `
  SELECT ${isoMicros("greatest(clock_timestamp(), max(updated_at) + interval '1 microsecond')")} AS at
  FROM directory_users WHERE id = $1`;

/**
 * The event as of now, if it is dated in the future: what events tell holds until Auth has a state that is as new, so a wrong clock or a forger
 * could otherwise end access, or hide later events, until that time. `undefined` for an event whose time can be.
 */
export async function asOfNow(tx: Tx, event: UserEvent): Promise<UserEvent | undefined> {
  if (Date.parse(event.timestamp) <= Date.now() + aheadMs) return undefined;
  const [row] = await query<{ at: string }>(tx, now, [event.user_id]);
  if (row === undefined) throw new Error('the database has no time');
  return { ...event, timestamp: row.at };
}
