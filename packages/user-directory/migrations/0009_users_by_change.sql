-- min_version: 0.3.0
-- mode: outside transaction
-- The users that changed after a number.
CREATE INDEX CONCURRENTLY IF NOT EXISTS directory_users_by_change ON directory_users (change_no);
