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

/** The journey of an event up to the broker. Times are ISO 8601 with microseconds, by the clock of the database. */
export type EventJourney = {
  message_id: string;
  event: string;
  aggregate_id: string;
  request_id: string | null;
  trace_id: string | null;
  /** When the request arrived; null for an event that no request caused. */
  requested_at: string | null;
  created_at: string;
  published_at: string | null;
  confirmed_at: string | null;
  /** `waiting` for the relay, `retry` after a failed publish, `blocked` behind such an event of its aggregate, or `confirmed` by the broker. */
  state: 'waiting' | 'retry' | 'blocked' | 'confirmed';
  attempts: number;
  next_attempt_at: string | null;
  last_error: string | null;
};

const inOrder: Keyset = { direction: 'ASC', columns: { message_id: { sql: 'event.message_id', type: 'uuid' } } };

// The outbox has no index on aggregates, which every write would pay for. It is scanned instead: it is small, unless the broker is down.
const select = `
  SELECT message_id, type AS event, aggregate_id, headers ->> 'correlation_id' AS request_id, split_part(headers ->> 'traceparent', '-', 2) AS trace_id,
    ${isoMicros("(written_at - (headers ->> 'request_age_us')::float8 * interval '1 microsecond')")} AS requested_at,
    ${isoMicros('created_at')} AS created_at, ${isoMicros('published_at')} AS published_at, ${isoMicros('confirmed_at')} AS confirmed_at,
    state, attempts, CASE WHEN state = 'retry' THEN ${isoMicros('next_attempt_at')} END AS next_attempt_at, last_error
  FROM (
    SELECT message_id, type, aggregate_id, headers, written_at, created_at, published_at, confirmed_at, 'confirmed' AS state,
      0 AS attempts, NULL::timestamptz AS next_attempt_at, NULL AS last_error
    FROM published_events WHERE aggregate_id = ANY ($1::text[])
    UNION ALL
    SELECT message_id, type, aggregate_id, headers, written_at, created_at, NULL, NULL,
      CASE WHEN next_attempt_at IS NULL THEN 'waiting' WHEN next_attempt_at = 'infinity' THEN 'blocked' ELSE 'retry' END,
      attempts, next_attempt_at, last_error
    FROM outbox WHERE aggregate_id = ANY ($1::text[])
  ) AS event`;

/** Reads the journeys of the events of some aggregates, oldest first: those that wait in the outbox, and those published in the last seven days. */
export async function readEventJourneys(
  db: Queryable,
  aggregateIds: readonly string[],
  place: Place,
): Promise<Page<EventJourney>> {
  const { condition, orderAndLimit, values } = keyset(inOrder, place, 2);
  const text = `${select} WHERE ${condition} ${orderAndLimit}`;
  return pageOf(await query<EventJourney>(db, text, [aggregateIds, ...values]), inOrder, place.limit);
}
