import { query, type Queryable } from '@taskwire/postgres';
import type { Claimed, DeliveryLog, OpenDeliveries } from '../app/delivery-log.ts';

// An attempt that never ended belongs to a process that died, or lost its claim, before it handed anything over: it is safe to go again.
// `now()` and not `clock_timestamp()` in the condition, because an index does not serve a volatile one.
const claim = `
  WITH due AS (
    SELECT id FROM deliveries
    WHERE channel = $1 AND state IN ('pending', 'unknown') AND due_at <= now()
    ORDER BY due_at LIMIT $2
    FOR UPDATE SKIP LOCKED
  ), taken AS (
    UPDATE deliveries d
    SET attempts = d.attempts + 1, claim = gen_random_uuid(), due_at = clock_timestamp() + $3 * interval '1 ms',
      updated_at = clock_timestamp()
    FROM due WHERE d.id = due.id
    RETURNING d.*
  ), abandoned AS (
    UPDATE delivery_attempts a
    SET ended_at = clock_timestamp(), outcome = 'abandoned', detail = 'the process ended before anything was handed over'
    FROM taken WHERE a.delivery_id = taken.id AND a.ended_at IS NULL
  ), logged AS (
    INSERT INTO delivery_attempts (delivery_id, number) SELECT id, attempts FROM taken
  )
  SELECT t.id, t.notification_id AS "notificationId", n.user_id AS "userId", n.type, n.actor_id AS "actorId", n.facts, t.attempts AS attempt, t.claim,
    (extract(epoch FROM t.created_at) * 1000)::float8 AS "createdAt", t.unknowns, t.class
  FROM taken t JOIN notifications n ON n.id = t.notification_id`;

const renew = `
  UPDATE deliveries d SET due_at = clock_timestamp() + $3 * interval '1 ms'
  FROM unnest($1::uuid[], $2::uuid[]) AS held (id, claim)
  WHERE d.id = held.id AND d.claim = held.claim AND d.state IN ('pending', 'unknown', 'sending') AND d.due_at > clock_timestamp()`;

const beginSending = `
  WITH d AS (
    UPDATE deliveries
    SET state = 'sending', due_at = clock_timestamp() + $3 * interval '1 ms', updated_at = clock_timestamp()
    WHERE id = $1 AND claim = $2 AND state IN ('pending', 'unknown') AND due_at > clock_timestamp()
    RETURNING id, attempts
  )
  UPDATE delivery_attempts a SET handed_over_at = clock_timestamp()
  FROM d WHERE a.delivery_id = d.id AND a.number = d.attempts
  RETURNING a.number`;

// An answer that comes after the delivery was given up as unknown still counts, as long as nobody else has claimed it.
const record = `
  WITH d AS (
    UPDATE deliveries
    SET state = $3, due_at = clock_timestamp() + $6::float8 * interval '1 ms',
      unknowns = unknowns + CASE $4 WHEN 'unknown' THEN 1 ELSE 0 END,
      last_error = CASE $4 WHEN 'sent' THEN NULL ELSE $5 END, updated_at = clock_timestamp()
    WHERE id = $1 AND claim = $2 AND state NOT IN ('sent', 'failed', 'skipped')
    RETURNING id, attempts
  )
  UPDATE delivery_attempts a SET ended_at = clock_timestamp(), outcome = $4, detail = $5
  FROM d WHERE a.delivery_id = d.id AND a.number = d.attempts
  RETURNING a.number`;

const markLost = `
  WITH lost AS (
    UPDATE deliveries
    SET state = 'unknown', unknowns = unknowns + 1, updated_at = clock_timestamp(), last_error = $4,
      due_at = CASE WHEN class = ANY ($2) AND unknowns = 0 THEN clock_timestamp() + $3 * interval '1 ms' END
    WHERE id IN (
      SELECT id FROM deliveries WHERE channel = $1 AND state = 'sending' AND due_at <= now() FOR UPDATE SKIP LOCKED
    )
    RETURNING id, attempts
  )
  UPDATE delivery_attempts a SET ended_at = clock_timestamp(), outcome = 'unknown', detail = $4
  FROM lost WHERE a.delivery_id = lost.id AND a.number = lost.attempts
  RETURNING a.number`;

// what is over is left out, so that a scrape never counts all that was ever sent
const readOpen = `
  SELECT channel, state, count(*)::int AS count, extract(epoch FROM now() - min(created_at))::float8 AS "oldestSeconds"
  FROM (
    SELECT channel, state, created_at FROM deliveries WHERE due_at IS NOT NULL
    UNION ALL
    SELECT channel, state, created_at FROM deliveries WHERE state = 'unknown' AND due_at IS NULL
  ) AS open
  GROUP BY channel, state`;

/** What waits, is under way or has an unknown outcome. */
export async function readOpenDeliveries(db: Queryable): Promise<OpenDeliveries[]> {
  return await query<OpenDeliveries>(db, readOpen);
}

/** Deliveries in PostgreSQL; each method is one statement, so nothing is held while something is sent. */
export function deliveryLog(db: Queryable): DeliveryLog {
  return {
    async claim(channel, limit, leaseMs) {
      return await query<Claimed>(db, {
        name: 'claim_deliveries',
        text: claim,
        values: [channel, limit, leaseMs],
      });
    },
    async renew(claimed, leaseMs) {
      const values = [claimed.map(({ id }) => id), claimed.map(({ claim: held }) => held), leaseMs];
      await query(db, { name: 'renew_deliveries', text: renew, values });
    },
    async beginSending(claimed, leaseMs) {
      const values = [claimed.id, claimed.claim, leaseMs];
      return (await query(db, { name: 'begin_sending', text: beginSending, values })).length > 0;
    },
    async record(claimed, { state, outcome, detail, dueInMs }) {
      const values = [claimed.id, claimed.claim, state, outcome, detail, dueInMs];
      return (await query(db, { name: 'record_attempt', text: record, values })).length > 0;
    },
    async markLost(channel, classesSentAgain, againInMs) {
      const detail = 'the process ended between the handover and the answer';
      return (await query(db, markLost, [channel, classesSentAgain, againInMs, detail])).length;
    },
  };
}
