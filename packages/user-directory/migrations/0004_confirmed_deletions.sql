-- An event that tells of a deletion ends access, and nothing else: the deletion counts once Auth itself says so. A deleted user may come back too,
-- when an admin restores the account.
ALTER TABLE directory_users
  -- since when an event claims that the user was deleted; until Auth confirms or denies that, the user has no access
  ADD COLUMN deletion_claimed_at timestamptz,
  -- when Auth last answered 410; that answer has no version
  ADD COLUMN gone_at             timestamptz,
  -- the version of the deletion, where a list had it
  ADD COLUMN deletion_version    integer,
  -- events that were newer than the state held when they came; tells whether one came in during a fetch
  ADD COLUMN told                integer NOT NULL DEFAULT 0,
  -- a tombstone is fetched again when something is told of it that is newer than the deletion
  DROP CONSTRAINT directory_users_deleted_is_final;

-- A tombstone that an event alone has made is mended when everybody is listed: soon, not within a day.
UPDATE directory_sweep SET full_completed_at = NULL WHERE full_completed_at IS NOT NULL;
