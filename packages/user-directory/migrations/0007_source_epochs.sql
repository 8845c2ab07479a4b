-- min_version: 0.1.0
-- A restored Auth uses versions and times again that rows have seen. States and events therefore compare as (epoch, version) and (epoch, time). Rows
-- written by a release that does not know epochs keep the epoch that they have, and new ones belong to epoch 1.
ALTER TABLE directory_users
  -- of the state that was fetched last
  ADD COLUMN source_epoch integer NOT NULL DEFAULT 1,
  -- of the newest event
  ADD COLUMN event_epoch  integer NOT NULL DEFAULT 1;
