-- min_version: 0.1.0
-- mode: outside transaction
-- The order in which deleted tasks are removed for good.
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_deleted ON tasks (deleted_at) WHERE deleted_at IS NOT NULL;
