-- min_version: 0.1.0
-- A restored Tasks uses versions again that the cache has seen, so they compare as (epoch, version).
ALTER TABLE task_cache ADD COLUMN source_epoch integer NOT NULL DEFAULT 1;
-- The task of such a notification does not exist: Tasks was restored to a time before its creation. Null for every other notification.
ALTER TABLE notifications ADD COLUMN task_missing_since timestamptz;
