-- min_version: 0.3.0
-- mode: outside transaction
-- The latest tasks that every user reads, where nearly all tasks are in projects.
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_outside_projects ON tasks (id) WHERE project_id IS NULL AND deleted_at IS NULL;
