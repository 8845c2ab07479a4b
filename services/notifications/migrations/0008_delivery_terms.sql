-- Columns, constraints and values get the terms of the documentation. Names of constraints start with their table.
ALTER TABLE notifications RENAME COLUMN facts TO template_data;
ALTER TABLE notifications RENAME CONSTRAINT read_is_seen TO notifications_read_is_seen;
ALTER TABLE notifications RENAME CONSTRAINT words_or_none TO notifications_title_with_body;

ALTER TABLE deliveries RENAME COLUMN class TO delivery_policy;
ALTER TABLE deliveries RENAME COLUMN unknowns TO unknown_outcomes;
-- when a worker looks at the delivery next: for the next attempt, or because the lease has expired; null once no attempt follows
ALTER TABLE deliveries RENAME COLUMN due_at TO next_attempt_at;
-- fences the attempt that may write: a worker without the current lease can neither hand off nor record
ALTER TABLE deliveries RENAME COLUMN claim TO lease_id;
ALTER TABLE deliveries RENAME CONSTRAINT open_is_due TO deliveries_open_has_next_attempt;
ALTER TABLE deliveries RENAME CONSTRAINT over_is_not_due TO deliveries_finished_has_no_next_attempt;

-- what an unknown outcome requires
UPDATE deliveries
SET delivery_policy = CASE delivery_policy WHEN 'notice' THEN 'keep_unknown' WHEN 'account' THEN 'resend_once' ELSE delivery_policy END;

ALTER TABLE delivery_attempts RENAME COLUMN handed_over_at TO handed_off_at;
ALTER TABLE delivery_attempts RENAME CONSTRAINT ended_has_outcome TO delivery_attempts_ended_has_outcome;
ALTER TABLE delivery_attempts DROP CONSTRAINT delivery_attempts_outcome_check;
UPDATE delivery_attempts SET outcome = CASE outcome WHEN 'again' THEN 'retry' ELSE 'channel_unavailable' END
WHERE outcome IN ('again', 'away');
ALTER TABLE delivery_attempts
  ADD CONSTRAINT delivery_attempts_outcome_check CHECK (
    outcome IN ('sent', 'refused', 'skipped', 'retry', 'channel_unavailable', 'unknown', 'abandoned')
  );

ALTER TABLE task_cache RENAME CONSTRAINT known_or_deleted TO task_cache_known_or_deleted;
