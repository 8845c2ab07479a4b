-- min_version: 0.3.0
-- The sync feed follows who may read a task (ADR 55).
ALTER TABLE task_tombstones ADD COLUMN project_id uuid;
COMMENT ON TABLE task_tombstones IS 'tasks that were removed for good, and tasks that left a project: whoever could read them there may not be able to read them now';
COMMENT ON COLUMN task_tombstones.project_id IS 'the project in which the task was; null for a task that every user could read';

CREATE OR REPLACE FUNCTION leave_tombstone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO task_tombstones (change_no, task_id, deleted_at, project_id) VALUES (
    -- copies have seen the number of a deletion that was followed; a row that was not deleted before needs a number that they have not seen
    CASE WHEN OLD.deleted_at IS NOT NULL AND OLD.change_no IS NOT NULL THEN OLD.change_no ELSE nextval('task_changes') END,
    OLD.id,
    coalesce(OLD.deleted_at, clock_timestamp()),
    OLD.project_id
  );
  RETURN NULL;
END
$$;

CREATE FUNCTION leave_project() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO task_tombstones (change_no, task_id, deleted_at, project_id) VALUES (NEW.change_no, OLD.id, clock_timestamp(), OLD.project_id);
  RETURN NULL;
END
$$;
CREATE TRIGGER leave_project AFTER UPDATE OF project_id ON tasks
  FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id) EXECUTE FUNCTION leave_project();

-- When users became members of projects, and when they left.
CREATE TABLE project_access (
  -- from the same sequence as the changes of tasks
  change_no  bigint      PRIMARY KEY,
  user_id    uuid        NOT NULL,
  project_id uuid        NOT NULL,
  changed_at timestamptz NOT NULL
);
CREATE INDEX project_access_by_user ON project_access (user_id, change_no);
CREATE INDEX project_access_by_age ON project_access (changed_at);

CREATE FUNCTION note_access() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  member project_members := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
  INSERT INTO project_access (change_no, user_id, project_id, changed_at)
  VALUES (nextval('task_changes'), member.user_id, member.project_id, clock_timestamp());
  RETURN NULL;
END
$$;
CREATE TRIGGER note_access AFTER INSERT OR DELETE ON project_members FOR EACH ROW EXECUTE FUNCTION note_access();
