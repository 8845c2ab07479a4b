-- min_version: 0.2.0
-- Schedules, and one row for each of their occurrences. Instants are computed by the service: PostgreSQL's tz database may be another version.
CREATE TABLE schedules (
  id                   uuid        PRIMARY KEY DEFAULT uuidv7(),
  creator_id           uuid        NOT NULL,
  kind                 text        NOT NULL CHECK (kind IN ('cron', 'rrule', 'every', 'at')),
  expression           text        NOT NULL,
  time_zone            text        NOT NULL,
  starts_at            timestamptz,
  ends_at              timestamptz,
  dst_gap              text        NOT NULL CHECK (dst_gap IN ('run_after', 'skip')),
  target               jsonb       NOT NULL,
  acts_for             uuid        NOT NULL,
  catch_up             text        NOT NULL CHECK (catch_up IN ('skip', 'latest', 'all')),
  overlap              text        NOT NULL CHECK (overlap IN ('skip', 'queue_one', 'allow', 'cancel_running')),
  jitter_seconds       integer     NOT NULL,
  pause_after_failures integer     NOT NULL,
  failures             integer     NOT NULL DEFAULT 0,
  paused_at            timestamptz,
  pause_reason         text        CHECK (pause_reason IN ('requested', 'failures', 'too_complex')),
  revision             integer     NOT NULL DEFAULT 1,
  next_at              timestamptz,
  due_at               timestamptz,
  last_at              timestamptz,
  last_task_id         uuid,
  queued_at            timestamptz,
  zone_database        text        NOT NULL,
  version              integer     NOT NULL DEFAULT 1,
  created_at           timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at           timestamptz NOT NULL DEFAULT clock_timestamp(),
  deleted_at           timestamptz,
  CONSTRAINT schedules_paused_has_reason CHECK ((paused_at IS NULL) = (pause_reason IS NULL)),
  CONSTRAINT schedules_deleted_is_not_due CHECK (deleted_at IS NULL OR (due_at IS NULL AND queued_at IS NULL))
);
COMMENT ON COLUMN schedules.acts_for IS 'the user who set the target last: occurrences fail when this user may no longer create such a task';
COMMENT ON COLUMN schedules.next_at IS 'the first nominal instant that is not decided yet; null when the rule has ended';
COMMENT ON COLUMN schedules.due_at IS 'next_at and the jitter of that occurrence';
COMMENT ON COLUMN schedules.last_at IS 'the last nominal instant that was decided';
COMMENT ON COLUMN schedules.queued_at IS 'the nominal instant of the occurrence that waits until the last task has ended';
COMMENT ON COLUMN schedules.zone_database IS 'the version of the tz database that next_at was computed with';

CREATE INDEX schedules_by_creator ON schedules (creator_id, id) WHERE deleted_at IS NULL;
CREATE INDEX schedules_due ON schedules (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX schedules_queued ON schedules (id) WHERE queued_at IS NOT NULL;
CREATE INDEX schedules_by_zone_database ON schedules (zone_database) WHERE due_at IS NOT NULL;
CREATE INDEX schedules_deleted ON schedules (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE schedule_occurrences (
  schedule_id uuid        NOT NULL REFERENCES schedules,
  nominal_at  timestamptz NOT NULL,
  revision    integer     NOT NULL,
  cause       text        NOT NULL CHECK (cause IN ('rule', 'trigger', 'backfill')),
  state       text        NOT NULL CHECK (state IN ('ran', 'skipped', 'queued', 'failed')),
  reason      text,
  task_id     uuid,
  decided_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- the revision is no part of the key: after an edit, one instant could run twice
  PRIMARY KEY (schedule_id, nominal_at),
  CONSTRAINT schedule_occurrences_ran_has_task CHECK ((state = 'ran') = (task_id IS NOT NULL)),
  CONSTRAINT schedule_occurrences_not_run_has_reason CHECK ((state IN ('skipped', 'failed')) = (reason IS NOT NULL))
);
CREATE INDEX schedule_occurrences_by_age ON schedule_occurrences (decided_at);
