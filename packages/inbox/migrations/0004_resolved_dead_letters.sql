-- min_version: 0.1.0
-- mode: outside transaction
-- The order in which resolved dead letters are deleted.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dead_letters_resolved ON dead_letters (resolved_at) WHERE resolved_at IS NOT NULL;
