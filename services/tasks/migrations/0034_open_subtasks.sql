-- min_version: 0.3.0
-- mode: outside transaction
-- A task may have any number of sub-tasks that have ended.
CREATE INDEX CONCURRENTLY IF NOT EXISTS open_subtasks ON tasks (parent_id, id) WHERE parent_id IS NOT NULL AND state NOT IN ('completed', 'cancelled');
