-- min_version: 0.3.0
-- mode: outside transaction
-- Which open tasks have an assignee who left their project, read from the index alone.
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_open_in_projects ON tasks (project_id, assignee_id)
  WHERE project_id IS NOT NULL AND state IN ('assigned', 'in_progress') AND deleted_at IS NULL;
