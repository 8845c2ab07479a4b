-- When what was personal of a deleted user was erased; the tombstone stays.
ALTER TABLE users
  ADD COLUMN erased_at timestamptz,
  ADD CHECK (erased_at IS NULL OR deleted_at IS NOT NULL);
CREATE INDEX users_to_erase ON users (deleted_at) WHERE deleted_at IS NOT NULL AND erased_at IS NULL;

-- Users change seldom and are searched often: with changes left in a list of their own, the index would look dear to the planner.
ALTER INDEX users_search SET (fastupdate = off);
SELECT gin_clean_pending_list('users_search');
