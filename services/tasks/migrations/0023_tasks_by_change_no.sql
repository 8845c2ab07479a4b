-- min_version: 0.2.0
-- mode: outside transaction
-- The tasks that changed after a number.
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_by_change_no ON tasks (change_no);
