-- min_version: 0.2.0
-- mode: outside transaction
-- Lists by priority, and of one priority.
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_by_priority ON tasks (array_position(ARRAY['low', 'normal', 'high', 'urgent'], priority), id) WHERE deleted_at IS NULL;
