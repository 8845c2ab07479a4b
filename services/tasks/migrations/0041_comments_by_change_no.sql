-- min_version: 0.3.0
-- mode: outside transaction
-- The comments that changed after a number.
CREATE INDEX CONCURRENTLY IF NOT EXISTS task_comments_by_change_no ON task_comments (change_no);
