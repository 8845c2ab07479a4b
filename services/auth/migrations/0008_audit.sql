-- Who did what, to whom, from where, when, and how it ended. Entries are only added.
CREATE TABLE audit_log (
  id           uuid        PRIMARY KEY DEFAULT uuidv7(),
  at           timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- null: somebody who has not proven who they are
  actor_kind   text        CHECK (actor_kind IN ('user', 'client', 'command_line', 'system')),
  actor_id     text,
  action       text        NOT NULL,
  subject_kind text        CHECK (subject_kind IN ('user', 'client', 'key')),
  subject_id   text,
  outcome      text        NOT NULL CHECK (outcome IN ('success', 'failure')),
  reason       text,
  -- above 1: refusals that came so thick that they were only counted
  count        integer     NOT NULL DEFAULT 1 CHECK (count > 0),
  ip           inet,
  user_agent   text,
  request_id   text,
  CHECK ((actor_id IS NOT NULL) = (actor_kind IS NOT NULL AND actor_kind IN ('user', 'client'))),
  CHECK ((subject_id IS NOT NULL) = (subject_kind IS NOT NULL))
);
CREATE INDEX audit_log_at ON audit_log (at, id);
CREATE INDEX audit_log_actor ON audit_log (actor_id, at, id) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_log_subject ON audit_log (subject_id, at, id) WHERE subject_id IS NOT NULL;
CREATE INDEX audit_log_action ON audit_log (action, at, id);
CREATE INDEX audit_log_ip ON audit_log (ip, at, id) WHERE ip IS NOT NULL;
-- what retain_audit_log() looks for
CREATE INDEX audit_log_origin ON audit_log (at) WHERE ip IS NOT NULL OR user_agent IS NOT NULL;

-- Refuses every change but those of retain_audit_log(), for whoever is connected. The owner of the table could drop it; that is a change of the
-- schema, and nothing that a fault of the service or injected SQL does by the way.
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'TRUNCATE' AND current_setting('taskwire.retains_audit_log', true) = 'on' THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation', HINT = 'Only retain_audit_log() forgets, by age.';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

-- The one way in which the log forgets: by age alone, a batch at a time. Address and user agent are personal data, and go first.
CREATE FUNCTION retain_audit_log(origins_for interval, entries_for interval, batch integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
  removed   integer;
  forgotten integer;
BEGIN
  PERFORM set_config('taskwire.retains_audit_log', 'on', true);
  DELETE FROM audit_log WHERE id IN (
    SELECT id FROM audit_log WHERE at < clock_timestamp() - entries_for ORDER BY at LIMIT batch FOR UPDATE SKIP LOCKED
  );
  GET DIAGNOSTICS removed = ROW_COUNT;
  UPDATE audit_log SET ip = NULL, user_agent = NULL WHERE id IN (
    SELECT id FROM audit_log
    WHERE at < clock_timestamp() - origins_for AND (ip IS NOT NULL OR user_agent IS NOT NULL)
    ORDER BY at LIMIT batch FOR UPDATE SKIP LOCKED
  );
  GET DIAGNOSTICS forgotten = ROW_COUNT;
  PERFORM set_config('taskwire.retains_audit_log', 'off', true);
  RETURN greatest(removed, forgotten);
END
$$;
