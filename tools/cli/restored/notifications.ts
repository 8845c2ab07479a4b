import { query, type Database } from '@taskwire/postgres';

/** The pause of a delivery whose policy allows one more attempt, as in the service. */
const resendAfter = "interval '60 seconds'";

// Treats deliveries as if their process had died during the handoff. Deliveries that changed after the restore belong to the new epoch and are
// excluded.
const markUnknown = `
  WITH open AS (
    UPDATE deliveries
    SET state = 'unknown', unknown_outcomes = unknown_outcomes + 1, lease_id = NULL, updated_at = clock_timestamp(),
      last_error = 'it was open at the time to which Notifications was restored, and may have been sent since',
      next_attempt_at = CASE WHEN delivery_policy = 'resend_once' AND unknown_outcomes = 0 THEN clock_timestamp() + ${resendAfter} END
    WHERE next_attempt_at IS NOT NULL AND state IN ('pending', 'sending', 'unknown')
      AND created_at < $1::timestamptz AND updated_at < $1::timestamptz
    RETURNING id, attempts
  ), ended AS (
    UPDATE delivery_attempts a SET ended_at = clock_timestamp(), outcome = 'unknown', detail = 'lost in a restore'
    FROM open WHERE a.delivery_id = open.id AND a.ended_at IS NULL
  )
  SELECT count(*)::integer AS count FROM open`;

/** Marks deliveries that were open at the restored time as `unknown`. Their policy decides whether they are sent again. */
export async function markOpenDeliveries(db: Database, since: string): Promise<number> {
  const [marked] = await query<{ count: number }>(db.pool, markUnknown, [since]);
  return marked?.count ?? 0;
}
