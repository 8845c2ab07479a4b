import { query, type Queryable } from '@taskwire/postgres';
import type { ClaimedDelivery, DeliveryLog, LostDelivery, OpenDeliveries } from '../app/delivery-log.ts';
import { gatherWrites, type GatheredWrite } from './gather-writes.ts';

// A later delivery to the same user about the same task on the same channel, in any state.
const laterExists = `
  SELECT FROM notifications later JOIN deliveries d ON d.notification_id = later.id AND d.channel = $1
  WHERE later.task_id = n.task_id AND later.user_id = n.user_id AND later.happened_at > n.happened_at`;

// Does not use `claimDue`: `next_attempt_at` is also the end of the lease and of the handoff, so that one index finds deliveries that are due,
// abandoned or lost. The lease id serves as the fence, as in `claimDue`. Only one delivery at a time is sent per user and task: the few rows being
// sent identify the few that have to wait. Planning a later delivery has marked earlier waiting ones as `skipped` (notifications.ts). The exception
// is a delivery that was being sent at that moment and has to be retried: this statement detects that it is superseded. An attempt that never ended
// belongs to a process that died, or lost its lease, before the handoff. It is safe to retry. The condition uses `now()` because an index can't serve
// the volatile `clock_timestamp()`. The statement uses arrays instead of joins, and the limit is part of its text instead of a parameter: a plan for
// any limit expects a tenth of all due rows, and therefore reads whole tables. OFFSET 0 keeps a plan that was made for small tables from reading them
// whole when they have grown, and IS NOT DISTINCT FROM keeps it from reading all notifications of a user instead of those about a task. The first
// attempt has no earlier attempts to look for.
export const claimDueDeliveries = (limit: number) => ({
  name: `deliveries.claim_due_${limit}`,
  text: `
    WITH held_back AS (
      SELECT waiting.id
      FROM deliveries sending
      JOIN notifications first ON first.id = sending.notification_id
      JOIN notifications n ON n.task_id = first.task_id AND n.user_id IS NOT DISTINCT FROM first.user_id AND n.happened_at IS NOT NULL
      JOIN deliveries waiting ON waiting.notification_id = n.id AND waiting.channel = sending.channel
      WHERE sending.channel = $1 AND sending.state = 'sending' AND first.happened_at IS NOT NULL
        AND waiting.state IN ('pending', 'unknown') AND waiting.next_attempt_at IS NOT NULL
    ), due AS (
      SELECT id FROM deliveries
      WHERE channel = $1 AND state IN ('pending', 'unknown') AND next_attempt_at <= now()
        AND id <> ALL (ARRAY(SELECT id FROM held_back))
      ORDER BY next_attempt_at LIMIT ${limit}
      FOR UPDATE SKIP LOCKED
    ), taken AS (
      UPDATE deliveries d
      SET attempts = d.attempts + 1, lease_id = gen_random_uuid(), next_attempt_at = clock_timestamp() + $2 * interval '1 ms',
        updated_at = clock_timestamp()
      WHERE id = ANY (ARRAY(SELECT id FROM due))
      RETURNING d.*
    ), abandoned AS (
      UPDATE delivery_attempts a
      SET ended_at = clock_timestamp(), outcome = 'abandoned', detail = 'the process ended before the handoff'
      WHERE a.delivery_id = ANY (ARRAY(SELECT id FROM taken WHERE attempts > 1)) AND a.ended_at IS NULL
    ), logged AS (
      INSERT INTO delivery_attempts (delivery_id, number) SELECT id, attempts FROM taken
    )
    SELECT t.id, t.notification_id AS "notificationId", n.event_id AS "eventId", n.task_id AS "taskId",
      n.user_id AS "userId", n.type, n.actor_id AS "actorId", n.template_data AS "templateData", t.attempts AS attempt, t.lease_id AS "leaseId",
      (extract(epoch FROM t.created_at) * 1000)::float8 AS "createdAt", t.unknown_outcomes AS "unknownOutcomes", t.delivery_policy AS "deliveryPolicy", t.headers,
      CASE WHEN t.attempts > 1 THEN (SELECT count(*)::int FROM delivery_attempts a WHERE a.delivery_id = t.id AND a.outcome = 'retry') ELSE 0 END AS retries,
      EXISTS (${laterExists}) AS "isSuperseded"
    FROM taken t CROSS JOIN LATERAL (
      SELECT id, event_id, task_id, user_id, type, actor_id, template_data, happened_at FROM notifications WHERE id = t.notification_id OFFSET 0
    ) AS n`,
});

// Rows locked by another transaction are skipped until the next heartbeat. Waiting for one while holding other locks could deadlock with a
// transaction that plans a notification and supersedes these deliveries.
export const renewLeases = {
  name: 'deliveries.renew_leases',
  text: `
    UPDATE deliveries SET next_attempt_at = clock_timestamp() + $3 * interval '1 ms'
    WHERE id IN (
      SELECT d.id FROM unnest($1::uuid[], $2::uuid[]) AS held (id, lease_id) JOIN deliveries d ON d.id = held.id AND d.lease_id = held.lease_id
      WHERE d.state IN ('pending', 'unknown', 'sending') AND d.next_attempt_at > clock_timestamp()
      FOR UPDATE OF d SKIP LOCKED
    )`,
};

/**
 * Returns the deliveries in the given arrays that this process still holds. `skip` passes over rows that another transaction has locked. A statement
 * about several deliveries needs it: waiting for one row while holding others could deadlock with a transaction that plans notifications and
 * supersedes these deliveries. The subqueries around the arrays keep the generic plan (task-cache.ts).
 */
const held = (given: string, condition: string, skip: '' | 'SKIP LOCKED'): string => `
  SELECT given.*, d.attempts FROM ${given}
  CROSS JOIN LATERAL (
    SELECT attempts FROM deliveries WHERE id = given.id AND lease_id = given.lease_id AND ${condition} FOR NO KEY UPDATE ${skip}
  ) AS d`;

const beginSendingOf = (skip: '' | 'SKIP LOCKED') => `
  WITH held AS (
    ${held(
      'unnest((SELECT $1::uuid[]), (SELECT $2::uuid[]), (SELECT $3::float8[])) AS given (id, lease_id, lease_ms)',
      "state IN ('pending', 'unknown') AND next_attempt_at > clock_timestamp()",
      skip,
    )}
  ), begun AS (
    UPDATE deliveries
    SET state = 'sending', next_attempt_at = clock_timestamp() + held.lease_ms * interval '1 ms', updated_at = clock_timestamp()
    FROM held WHERE deliveries.id = held.id AND deliveries.id = ANY (ARRAY(SELECT id FROM held))
    RETURNING held.id, held.attempts
  )
  UPDATE delivery_attempts a SET handed_off_at = clock_timestamp()
  FROM begun WHERE a.delivery_id = begun.id AND a.number = begun.attempts AND a.delivery_id = ANY (ARRAY(SELECT id FROM held))
  RETURNING begun.id`;

export const beginSending: GatheredWrite = {
  alone: { name: 'deliveries.begin_sending', text: beginSendingOf('') },
  together: { name: 'deliveries.begin_sending_together', text: beginSendingOf('SKIP LOCKED') },
};

// A result that arrives after the delivery was marked as unknown is still recorded, unless another worker has claimed the delivery.
const recordAttemptOf = (skip: '' | 'SKIP LOCKED') => `
  WITH held AS (
    ${held(
      `unnest((SELECT $1::uuid[]), (SELECT $2::uuid[]), (SELECT $3::text[]), (SELECT $4::text[]), (SELECT $5::text[]), (SELECT $6::float8[]))
      AS given (id, lease_id, state, outcome, detail, wait_ms)`,
      "state NOT IN ('sent', 'failed', 'skipped')",
      skip,
    )}
  ), recorded AS (
    UPDATE deliveries
    SET state = held.state, next_attempt_at = clock_timestamp() + held.wait_ms * interval '1 ms',
      unknown_outcomes = unknown_outcomes + CASE held.outcome WHEN 'unknown' THEN 1 ELSE 0 END,
      last_error = CASE held.outcome WHEN 'sent' THEN NULL ELSE held.detail END, updated_at = clock_timestamp()
    FROM held WHERE deliveries.id = held.id AND deliveries.id = ANY (ARRAY(SELECT id FROM held))
    RETURNING held.*
  )
  UPDATE delivery_attempts a SET ended_at = clock_timestamp(), outcome = recorded.outcome, detail = recorded.detail
  FROM recorded WHERE a.delivery_id = recorded.id AND a.number = recorded.attempts AND a.delivery_id = ANY (ARRAY(SELECT id FROM held))
  RETURNING recorded.id`;

export const recordAttempt: GatheredWrite = {
  alone: { name: 'deliveries.record_attempt', text: recordAttemptOf('') },
  together: { name: 'deliveries.record_attempts', text: recordAttemptOf('SKIP LOCKED') },
};

export const markLost = {
  name: 'deliveries.mark_lost',
  text: `
    WITH lost AS (
      UPDATE deliveries
      SET state = 'unknown', unknown_outcomes = unknown_outcomes + 1, updated_at = clock_timestamp(), last_error = $3,
        next_attempt_at = CASE WHEN delivery_policy = 'resend_once' AND unknown_outcomes = 0 THEN clock_timestamp() + $2 * interval '1 ms' END
      WHERE id IN (
        SELECT id FROM deliveries WHERE channel = $1 AND state = 'sending' AND next_attempt_at <= now() FOR UPDATE SKIP LOCKED
      )
      RETURNING id, attempts, notification_id, headers
    ), ended AS (
      UPDATE delivery_attempts a SET ended_at = clock_timestamp(), outcome = 'unknown', detail = $3
      FROM lost WHERE a.delivery_id = lost.id AND a.number = lost.attempts
    )
    SELECT lost.id, lost.notification_id AS "notificationId", n.event_id AS "eventId", n.task_id AS "taskId", n.user_id AS "userId",
      lost.attempts AS attempt, lost.headers
    FROM lost JOIN notifications n ON n.id = lost.notification_id`,
};

// excludes finished deliveries, so that a scrape never counts everything that was ever sent
const readOpen = `
  SELECT channel, state, count(*)::int AS count, extract(epoch FROM now() - min(created_at))::float8 AS "oldestSeconds"
  FROM (
    SELECT channel, state, created_at FROM deliveries WHERE next_attempt_at IS NOT NULL
    UNION ALL
    SELECT channel, state, created_at FROM deliveries WHERE state = 'unknown' AND next_attempt_at IS NULL
  ) AS open
  GROUP BY channel, state`;

/** Deliveries that are waiting, being sent or of unknown outcome. */
export async function readOpenDeliveries(db: Queryable): Promise<OpenDeliveries[]> {
  return await query<OpenDeliveries>(db, readOpen);
}

/** The PostgreSQL delivery log. Each method is one statement, so nothing is locked during sending. Concurrent attempts share statements. */
export function deliveryLog(db: Queryable): DeliveryLog {
  const begin = gatherWrites(db, 'begin sending', beginSending);
  const record = gatherWrites(db, 'record attempts', recordAttempt);
  return {
    async claim(channel, limit, leaseMs) {
      return await query<ClaimedDelivery>(db, { ...claimDueDeliveries(limit), values: [channel, leaseMs] });
    },
    async renew(claimed, leaseMs) {
      const values = [claimed.map(({ id }) => id), claimed.map(({ leaseId }) => leaseId), leaseMs];
      await query(db, { ...renewLeases, values });
    },
    beginSending: async ({ id, leaseId }, leaseMs) => await begin([id, leaseId, leaseMs]),
    record: async ({ id, leaseId }, { state, outcome, detail, nextAttemptInMs }) =>
      await record([id, leaseId, state, outcome, detail, nextAttemptInMs]),
    async markLost(channel, resendAfterMs) {
      const detail = 'the process ended between the handoff and the response';
      const values = [channel, resendAfterMs, detail];
      return await query<LostDelivery>(db, { ...markLost, values });
    },
  };
}
