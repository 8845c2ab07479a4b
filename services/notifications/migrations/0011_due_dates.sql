-- min_version: 0.2.0
-- The due date of a cached task, known only while due_version = version: the release before caches versions without it.
ALTER TABLE task_cache ADD COLUMN due_at timestamptz, ADD COLUMN due_version integer;
