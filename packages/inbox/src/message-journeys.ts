import {
  isoMicros,
  keyset,
  pageOf,
  query,
  type Keyset,
  type Page,
  type Place,
  type Queryable,
} from '@taskwire/postgres';

/** The journey of a message through the inbox. Times are ISO 8601 with microseconds. */
export type MessageJourney = {
  message_id: string;
  event: string;
  aggregate_id: string;
  request_id: string | null;
  /** By the clock of the publisher's database; null if the publisher's release did not send them. */
  created_at: string | null;
  published_at: string | null;
  /** By the clock of this database, like `next_attempt_at`. */
  consumed_at: string;
  /** `waiting` behind an earlier message of the aggregate; `dead` or `dropped`: a dead letter; `running`: leased by a process until `next_attempt_at`. */
  state: 'done' | 'running' | 'retry' | 'waiting' | 'dead' | 'dropped';
  attempts: number;
  next_attempt_at: string | null;
  last_error: string | null;
};

const inOrder: Keyset = { direction: 'ASC', columns: { message_id: { sql: 'seen.message_id', type: 'uuid' } } };

// a replayed dead letter is pending, done, or a newer dead letter
const select = `
  SELECT seen.message_id, seen.type AS event, seen.aggregate_id, seen.correlation_id AS request_id, ${isoMicros('seen.created_at')} AS created_at,
    ${isoMicros('seen.published_at')} AS published_at, ${isoMicros('seen.consumed_at')} AS consumed_at,
    CASE WHEN pending.lease_id IS NOT NULL THEN 'running' ELSE coalesce(pending.state, letter.state, 'done') END AS state,
    coalesce(pending.attempts, letter.attempts, 0) AS attempts,
    ${isoMicros('coalesce(pending.lease_expires_at, pending.next_attempt_at)')} AS next_attempt_at,
    coalesce(pending.last_error, letter.error) AS last_error
  FROM inbox seen
  LEFT JOIN inbox_pending pending ON pending.message_id = seen.message_id AND pending.handler = seen.handler
  LEFT JOIN LATERAL (
    SELECT state, attempts, error FROM dead_letters
    WHERE message_id = seen.message_id::text AND handler = seen.handler AND state <> 'replayed' ORDER BY dead_at DESC LIMIT 1
  ) letter ON true
  WHERE (seen.aggregate_id = $1 OR seen.parent_id = $1) AND seen.handler = $2`;

/**
 * Reads the journeys of the messages that a handler received about an aggregate, and about those that belong to it, oldest first, for as long as the
 * inbox remembers them.
 */
export async function readMessageJourneys(
  db: Queryable,
  { aggregateId, handler }: { aggregateId: string; handler: string },
  place: Place,
): Promise<Page<MessageJourney>> {
  const { condition, orderAndLimit, values } = keyset(inOrder, place, 3);
  const text = `${select} AND ${condition} ${orderAndLimit}`;
  return pageOf(await query<MessageJourney>(db, text, [aggregateId, handler, ...values]), inOrder, place.limit);
}
