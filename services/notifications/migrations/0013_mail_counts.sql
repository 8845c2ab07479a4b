-- min_version: 0.3.0
-- Counts mails against the budgets of their recipients and callers, in one round trip and one transaction. The arrays have one element for each mail.
-- Counts for the same recipient or caller are serialised by transaction-level locks, so that two concurrent mails never both use the last place in a
-- budget. The locks are taken in a consistent order, which prevents deadlocks. The function is volatile, so each statement in it has its own snapshot,
-- which includes mails that were counted while it waited for the locks.
--
-- Mails may be counted in a different order than planned, so the window extends to both sides of a mail. Counting stops at the limit. A delivery that
-- was skipped after it was counted, because a later mail superseded it before its handoff, is not counted, because it was never sent. Looking up the
-- deliveries costs several times as much as counting, so it only happens when the limit would be reached with the skipped ones.
CREATE FUNCTION count_mails(
  ids uuid[], recipients bytea[], callers uuid[], recipient_limits integer[], caller_limit integer, span interval
) RETURNS TABLE (id uuid, is_counted boolean, is_recipient_over boolean)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(key, 0)) FROM (
    SELECT DISTINCT key FROM (
      SELECT 'recipient ' || encode(recipient, 'hex') FROM unnest(recipients) AS recipient
      UNION ALL
      SELECT 'caller ' || caller FROM unnest(callers) AS caller WHERE caller IS NOT NULL
    ) AS keys (key) ORDER BY key
  ) AS ordered;
  FOR place IN 1 .. cardinality(ids) LOOP
    RETURN QUERY
    WITH mail AS (
      SELECT deliveries.id, created_at, EXISTS (SELECT FROM mail_counts WHERE delivery_id = ids[place]) AS is_counted
      FROM deliveries WHERE deliveries.id = ids[place]
    ), used AS (
      SELECT CASE
        WHEN (SELECT count(*) < recipient_limits[place] FROM (SELECT FROM mail_counts WHERE recipient = recipients[place] AND planned_at > mail.created_at - span AND planned_at < mail.created_at + span LIMIT recipient_limits[place]) AS counted) THEN false
        ELSE (
          SELECT count(*) >= recipient_limits[place] FROM (
            SELECT FROM mail_counts JOIN deliveries ON deliveries.id = delivery_id
            WHERE recipient = recipients[place] AND planned_at > mail.created_at - span AND planned_at < mail.created_at + span AND state <> 'skipped' LIMIT recipient_limits[place]
          ) AS counted
        )
      END AS is_recipient_over, CASE
        WHEN (SELECT count(*) < caller_limit FROM (SELECT FROM mail_counts WHERE caller_id = callers[place] AND planned_at > mail.created_at - span AND planned_at < mail.created_at + span LIMIT caller_limit) AS counted) THEN false
        ELSE (
          SELECT count(*) >= caller_limit FROM (
            SELECT FROM mail_counts JOIN deliveries ON deliveries.id = delivery_id
            WHERE caller_id = callers[place] AND planned_at > mail.created_at - span AND planned_at < mail.created_at + span AND state <> 'skipped' LIMIT caller_limit
          ) AS counted
        )
      END AS is_caller_over
      FROM mail
    ), added AS (
      INSERT INTO mail_counts (delivery_id, recipient, caller_id, planned_at)
      SELECT mail.id, recipients[place], callers[place], mail.created_at FROM mail, used
      WHERE NOT (mail.is_counted OR used.is_recipient_over OR used.is_caller_over)
      RETURNING delivery_id
    )
    SELECT mail.id, mail.is_counted OR EXISTS (SELECT FROM added), used.is_recipient_over FROM mail, used;
  END LOOP;
END
$$;
