-- min_version: 0.3.0
-- mode: outside transaction
-- The moves of a task between projects, which decide who reads the entries before them.
CREATE INDEX CONCURRENTLY IF NOT EXISTS task_moves ON task_activity (task_id, seq) WHERE field = 'project_id';
