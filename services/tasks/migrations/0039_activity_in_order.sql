-- min_version: 0.3.0
-- mode: outside transaction
-- The order of the activity of all tasks.
CREATE INDEX CONCURRENTLY IF NOT EXISTS task_activity_in_order ON task_activity (seq);
