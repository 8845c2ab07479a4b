-- A local copy of Auth's users. Rows are never deleted: a deleted user leaves a tombstone that nothing revives.
CREATE TABLE directory_users (
  id                 uuid        PRIMARY KEY,

  -- the state that was fetched last; null for a user that so far only an event told of
  email              text,
  name               text,
  role               text,
  version            integer     NOT NULL DEFAULT 0,
  updated_at         timestamptz,
  tokens_valid_after timestamptz,
  is_deleted         boolean     NOT NULL DEFAULT false,
  fetched_at         timestamptz,

  -- what events told: when the newest one happened, and since when the row waits to be fetched
  event_at           timestamptz,
  stale_since        timestamptz,

  -- the fetching of a stale row: when it may be claimed next (a claim moves this on), and how it went so far
  next_fetch_at      timestamptz,
  attempts           integer     NOT NULL DEFAULT 0,
  last_error         text,

  CONSTRAINT directory_users_fetched_is_whole CHECK (fetched_at IS NULL OR num_nulls(email, name, role, updated_at) = 0),
  CONSTRAINT directory_users_stale_is_scheduled CHECK ((stale_since IS NULL) = (next_fetch_at IS NULL)),
  CONSTRAINT directory_users_deleted_is_final CHECK (NOT (is_deleted AND stale_since IS NOT NULL))
);

-- the refresher's queue
CREATE INDEX directory_users_to_fetch ON directory_users (next_fetch_at) WHERE stale_since IS NOT NULL;
-- "all performers", "all managers"
CREATE INDEX directory_users_by_role ON directory_users (role) WHERE NOT is_deleted;

-- Where the comparison with Auth stands: one row. Times are Auth's where they are compared with a user's updated_at, else this database's.
CREATE TABLE directory_sweep (
  singleton         boolean     PRIMARY KEY DEFAULT true CHECK (singleton),

  -- the sweep that runs; null when none does. Its place survives a restart.
  kind              text        CHECK (kind IN ('fill', 'catch_up', 'full', 'rebuild')),
  updated_since     timestamptz,
  cursor            text,
  started_at        timestamptz,
  seen_up_to        timestamptz,

  -- one process at a time sweeps
  holder            uuid,
  held_until        timestamptz NOT NULL DEFAULT '-infinity',

  -- what was reached
  caught_up_to      timestamptz,
  completed_at      timestamptz,
  full_completed_at timestamptz
);

INSERT INTO directory_sweep DEFAULT VALUES;
