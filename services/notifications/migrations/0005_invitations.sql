-- Null: a mail to somebody who has no account (an invitation).
ALTER TABLE notifications ALTER COLUMN user_id DROP NOT NULL;
-- the unique constraint tells nulls apart
CREATE UNIQUE INDEX notifications_without_user ON notifications (event_id, type) WHERE user_id IS NULL;
-- by age, for those that go early
CREATE INDEX notifications_without_user_age ON notifications (id) WHERE user_id IS NULL;
