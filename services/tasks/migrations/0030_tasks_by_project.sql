-- min_version: 0.3.0
-- mode: outside transaction
-- Lists of a project. Tasks outside of projects, which are not in this index, are written as fast as before.
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_by_project ON tasks (project_id, id) WHERE project_id IS NOT NULL AND deleted_at IS NULL;
