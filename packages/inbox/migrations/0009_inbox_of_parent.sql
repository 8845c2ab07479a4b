-- min_version: 0.3.0
-- mode: outside transaction
-- The messages about the comments of a task.
CREATE INDEX CONCURRENTLY IF NOT EXISTS inbox_of_parent ON inbox (parent_id, message_id) WHERE parent_id IS NOT NULL;
