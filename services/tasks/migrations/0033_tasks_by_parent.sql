-- min_version: 0.3.0
-- mode: outside transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_by_parent ON tasks (parent_id, id) WHERE parent_id IS NOT NULL;
