-- min_version: 0.2.0
-- mode: outside transaction
-- Lists by due date, and of what is due in a period.
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_by_due_date ON tasks (due_at, id) WHERE deleted_at IS NULL;
