-- min_version: 0.2.0
-- mode: outside transaction
-- The list of the tasks that workers carry out, which may be a few among millions.
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_of_jobs ON tasks (id) WHERE kind = 'job' AND deleted_at IS NULL;
