-- min_version: 0.3.0
-- Who may read a cached task, known only while readers_version = version: the release before caches versions without them.
-- A row without readers_version is from before there were projects.
ALTER TABLE task_cache ADD COLUMN readers uuid[], ADD COLUMN readers_version integer;
COMMENT ON COLUMN task_cache.readers IS 'null if every user may read the task';
