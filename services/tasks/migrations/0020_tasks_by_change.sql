-- min_version: 0.2.0
-- mode: outside transaction
-- Lists by the last change.
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_by_change ON tasks (updated_at, id) WHERE deleted_at IS NULL;
