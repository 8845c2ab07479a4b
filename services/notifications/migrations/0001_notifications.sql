-- What people are told. One row for one event, person and type, however often the event comes: the unique constraint, not the
-- inbox (whose rows are forgotten after a while), is what keeps a notification from being doubled.
CREATE TABLE notifications (
  id          uuid        PRIMARY KEY DEFAULT uuidv7(),
  event_id    uuid        NOT NULL,
  user_id     uuid        NOT NULL,
  type        text        NOT NULL,
  task_id     uuid,
  -- what the templates of every channel are filled with; as it was when it happened
  facts       jsonb       NOT NULL,
  title       text        NOT NULL,
  body        text        NOT NULL,
  seen_at     timestamptz,
  read_at     timestamptz,
  archived_at timestamptz,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (event_id, user_id, type),
  CONSTRAINT read_is_seen CHECK (read_at IS NULL OR seen_at IS NOT NULL)
);

-- a person's list, newest first, and the same of what is unread (which also counts it)
CREATE INDEX notifications_of_user ON notifications (user_id, created_at DESC, id DESC);
CREATE INDEX notifications_unread ON notifications (user_id, created_at DESC, id DESC) WHERE read_at IS NULL;

-- One notification on one channel: pending → sending → sent | failed | unknown.
CREATE TABLE deliveries (
  id              uuid        PRIMARY KEY DEFAULT uuidv7(),
  notification_id uuid        NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
  channel         text        NOT NULL,
  -- what becomes of an unknown outcome depends on it
  class           text        NOT NULL,
  state           text        NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'failed', 'unknown')),
  attempts        integer     NOT NULL DEFAULT 0,
  unknowns        integer     NOT NULL DEFAULT 0,
  -- when a worker has to look at it (again): the next attempt, or the end of the claim of the worker that has it; null when it is over
  due_at          timestamptz,
  -- the attempt that may write; a worker that lost its claim can neither hand over nor record
  claim           uuid,
  last_error      text,
  created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (notification_id, channel),
  CONSTRAINT open_is_due CHECK ((state IN ('pending', 'sending')) <= (due_at IS NOT NULL)),
  CONSTRAINT over_is_not_due CHECK ((state IN ('sent', 'failed')) <= (due_at IS NULL))
);

CREATE INDEX deliveries_due ON deliveries (channel, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_unknown ON deliveries (channel) WHERE state = 'unknown';

-- Every attempt, also the ones that came to nothing.
CREATE TABLE delivery_attempts (
  delivery_id uuid        NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
  number      integer     NOT NULL,
  started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  handed_over_at timestamptz,
  ended_at    timestamptz,
  outcome     text        CHECK (outcome IN ('sent', 'refused', 'again', 'away', 'unknown', 'abandoned')),
  detail      text,
  PRIMARY KEY (delivery_id, number),
  CONSTRAINT ended_has_outcome CHECK ((ended_at IS NULL) = (outcome IS NULL))
);

-- Tasks' state as it was fetched last. `fresh_as_of`: nothing that happened to the task up to then is missing in it.
CREATE TABLE task_cache (
  id          uuid        PRIMARY KEY,
  title       text,
  creator_id  uuid,
  version     integer     NOT NULL,
  is_deleted  boolean     NOT NULL,
  fresh_as_of timestamptz NOT NULL,
  fetched_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT known_or_deleted CHECK (is_deleted OR (title IS NOT NULL AND creator_id IS NOT NULL))
);
