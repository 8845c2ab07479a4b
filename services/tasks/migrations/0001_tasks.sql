CREATE TABLE tasks (
  -- made by the database, so that the order of ids is the order of its clock, whichever replica inserts
  id                 uuid        PRIMARY KEY DEFAULT uuidv7(),
  title              text        NOT NULL,
  description        text        NOT NULL,
  state              text        NOT NULL CHECK (state IN ('draft', 'assigned', 'in_progress', 'completed', 'cancelled')),
  priority           text        NOT NULL CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
  due_at             timestamptz,
  labels             text[]      NOT NULL,
  creator_id         uuid        NOT NULL,
  assignee_id        uuid,
  awaiting_performer boolean     NOT NULL DEFAULT false,
  version            integer     NOT NULL DEFAULT 1,
  created_at         timestamptz NOT NULL,
  updated_at         timestamptz NOT NULL,
  deleted_at         timestamptz,
  CONSTRAINT a_draft_has_no_performer CHECK (state <> 'draft' OR assignee_id IS NULL),
  CONSTRAINT who_works_is_named CHECK (state NOT IN ('assigned', 'in_progress', 'completed') OR assignee_id IS NOT NULL),
  CONSTRAINT only_drafts_await CHECK (NOT awaiting_performer OR state = 'draft')
);
COMMENT ON COLUMN tasks.awaiting_performer IS 'a draft that lost its performer when nobody else was there';
COMMENT ON COLUMN tasks.deleted_at IS 'soft delete: hidden from the public API, 410 for services';

-- lists are pages by descending id under one equality filter each; combined filters use the narrowest of these
CREATE INDEX tasks_by_assignee ON tasks (assignee_id, id) WHERE deleted_at IS NULL;
CREATE INDEX tasks_by_creator ON tasks (creator_id, id) WHERE deleted_at IS NULL;
CREATE INDEX tasks_by_state ON tasks (state, id) WHERE deleted_at IS NULL;
-- how much everybody has to do (fair choice, counted from the index alone), and whose tasks must move: small, since most tasks have ended
CREATE INDEX tasks_open ON tasks (assignee_id, id) WHERE state IN ('assigned', 'in_progress') AND deleted_at IS NULL;
CREATE INDEX tasks_awaiting ON tasks (id) WHERE awaiting_performer;

CREATE TABLE task_activity (
  task_id    uuid        NOT NULL REFERENCES tasks,
  -- the order within a task: its row is locked when an entry is inserted, so entries commit in the order of seq
  seq        bigint      GENERATED ALWAYS AS IDENTITY,
  id         uuid        NOT NULL DEFAULT uuidv7(),
  action     text        NOT NULL,
  actor_id   uuid,
  field      text,
  from_value jsonb,
  to_value   jsonb,
  reason     text,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (task_id, seq)
);
COMMENT ON COLUMN task_activity.actor_id IS 'null for the system itself';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON task_activity
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- the first answers to requests with an Idempotency-Key; written in the transaction of what they answer
CREATE TABLE idempotency_keys (
  actor_id    uuid        NOT NULL,
  key         text        NOT NULL,
  fingerprint bytea       NOT NULL,
  answer      text,
  etag        integer,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (actor_id, key)
);
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'SHA-256 of method, path and body: the same key with another request is refused';
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
