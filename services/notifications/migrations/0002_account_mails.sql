-- Mails with links are told by mail alone: such a notification has no words, and is in nobody's list.
ALTER TABLE notifications
  ALTER COLUMN title DROP NOT NULL,
  ALTER COLUMN body DROP NOT NULL,
  ADD CONSTRAINT words_or_none CHECK ((title IS NULL) = (body IS NULL));

DROP INDEX notifications_of_user;
DROP INDEX notifications_unread;
CREATE INDEX notifications_of_user ON notifications (user_id, created_at DESC, id DESC) WHERE title IS NOT NULL;
CREATE INDEX notifications_unread ON notifications (user_id, created_at DESC, id DESC)
  WHERE read_at IS NULL AND title IS NOT NULL;

-- skipped: there was no use in it any more when its turn came
ALTER TABLE deliveries
  DROP CONSTRAINT deliveries_state_check,
  ADD CONSTRAINT deliveries_state_check CHECK (state IN ('pending', 'sending', 'sent', 'failed', 'skipped', 'unknown')),
  DROP CONSTRAINT over_is_not_due,
  ADD CONSTRAINT over_is_not_due CHECK ((state IN ('sent', 'failed', 'skipped')) <= (due_at IS NULL));
ALTER TABLE delivery_attempts
  DROP CONSTRAINT delivery_attempts_outcome_check,
  ADD CONSTRAINT delivery_attempts_outcome_check CHECK (
    outcome IN ('sent', 'refused', 'skipped', 'again', 'away', 'unknown', 'abandoned')
  );
