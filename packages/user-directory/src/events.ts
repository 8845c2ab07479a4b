import { query, type Tx } from '@taskwire/postgres';
import type { EventPayload } from '@taskwire/contracts';

/** The events that update the directory. */
export const userEventTypes = [
  'auth.user.created',
  'auth.user.changed',
  'auth.user.deleted',
  'auth.account.access_ended',
] as const;
export type UserEventType = (typeof userEventTypes)[number];
export type UserEvent = EventPayload<UserEventType>;

/** Whether the event of an INSERT ($2, with its epoch) is newer than the newest event of the stored row. */
export const isNewestEvent =
  "(excluded.event_epoch, excluded.event_at) > (stored.event_epoch, coalesce(stored.event_at, '-infinity'))";
/** Whether the event of an INSERT is newer than the stored state. */
export const isNewerThanState =
  "(excluded.event_epoch, excluded.event_at) > (stored.source_epoch, coalesce(stored.updated_at, '-infinity'))";
/** Keeps the newest event. */
export const setNewestEvent = `
    event_epoch = CASE WHEN ${isNewestEvent} THEN excluded.event_epoch ELSE stored.event_epoch END,
    event_at = CASE WHEN ${isNewestEvent} THEN excluded.event_at ELSE stored.event_at END`;

/**
 * An event about an unknown user creates a row, an event newer than the stored state makes the row stale, and an older event is ignored. A tombstone
 * remains until a fetch returns an active state; an event that is newer than the deletion causes a fetch. A row that is already stale keeps its place
 * in the queue (and its back-off): a burst of events causes one fetch. After a fetch, the next one waits for the minimum interval, so that a
 * continuing burst causes only a few fetches a second.
 */
const markStale = `
  INSERT INTO directory_users AS stored (id, event_at, event_epoch, stale_since, next_fetch_at)
  VALUES ($1, $2::timestamptz, $4, clock_timestamp(), clock_timestamp())
  ON CONFLICT (id) DO UPDATE SET ${setNewestEvent},
    event_count = stored.event_count + 1,
    stale_since = coalesce(stored.stale_since, excluded.stale_since),
    next_fetch_at = coalesce(
      stored.next_fetch_at,
      greatest(excluded.next_fetch_at, stored.fetched_at + $3::integer * interval '1 millisecond'))
  WHERE ${isNewerThanState} AND (NOT stored.is_deleted OR ${isNewestEvent})`;

/** How an event is recorded. `gapMs`: the minimum time between two fetches. `sourceEpoch`: the epoch of the Auth that published it. */
export type Recording = { gapMs: number; sourceEpoch: number };

/** Records in the caller's transaction that a user has changed, so that the user is fetched. */
export async function recordChange(tx: Tx, event: UserEvent, { gapMs, sourceEpoch }: Recording): Promise<void> {
  await query(tx, markStale, [event.user_id, event.timestamp, gapMs, sourceEpoch]);
}
