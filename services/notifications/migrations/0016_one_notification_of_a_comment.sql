-- min_version: 0.3.0
-- mode: outside transaction
-- A user is notified of a comment once, by whichever of its events is handled first.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS notifications_of_comment ON notifications (comment_id, user_id) WHERE comment_id IS NOT NULL;
