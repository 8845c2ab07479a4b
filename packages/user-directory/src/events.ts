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

/**
 * An event about an unknown user creates a row, an event newer than the stored state makes the row stale, and an older event is ignored. A tombstone
 * remains until a fetch shows otherwise, and is fetched for events newer than the deletion. A row that is already stale keeps its place in the queue
 * (and its back-off): a burst of events causes one fetch. After a fetch the next one waits for the gap, so that a continuing burst causes a few
 * fetches a second.
 */
const markStale = `
  INSERT INTO directory_users AS stored (id, event_at, stale_since, next_fetch_at)
  VALUES ($1, $2::timestamptz, clock_timestamp(), clock_timestamp())
  ON CONFLICT (id) DO UPDATE SET
    event_at = greatest(stored.event_at, excluded.event_at),
    event_count = stored.event_count + 1,
    stale_since = coalesce(stored.stale_since, excluded.stale_since),
    next_fetch_at = coalesce(
      stored.next_fetch_at,
      greatest(excluded.next_fetch_at, stored.fetched_at + $3::integer * interval '1 millisecond'))
  WHERE excluded.event_at > coalesce(stored.updated_at, '-infinity')
    AND (NOT stored.is_deleted OR excluded.event_at > coalesce(stored.event_at, '-infinity'))`;

/** Records in the caller's transaction that a user changed, so that they will be fetched. */
export async function recordChange(tx: Tx, event: UserEvent, fetchGapMs: number): Promise<void> {
  await query(tx, markStale, [event.user_id, event.timestamp, fetchGapMs]);
}
