-- min_version: 0.2.0
-- mode: outside transaction
-- The messages about a task.
CREATE INDEX CONCURRENTLY IF NOT EXISTS inbox_of_aggregate ON inbox (aggregate_id, message_id) WHERE aggregate_id IS NOT NULL;
