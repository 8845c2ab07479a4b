-- min_version: 0.3.0
-- Projects, whose members alone read their tasks (ADR 57).
CREATE TABLE projects (
  id          uuid        PRIMARY KEY DEFAULT uuidv7(),
  name        text        NOT NULL,
  description text        NOT NULL,
  creator_id  uuid        NOT NULL,
  version     integer     NOT NULL DEFAULT 1,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  archived_at timestamptz
);
COMMENT ON COLUMN projects.archived_at IS 'since when its tasks cannot be changed; null for a project in use';

CREATE TABLE project_members (
  project_id uuid        NOT NULL REFERENCES projects,
  user_id    uuid        NOT NULL,
  role       text        NOT NULL CHECK (role IN ('lead', 'contributor', 'viewer')),
  added_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- each read of a caller looks up the projects of one user
  PRIMARY KEY (user_id, project_id)
);
CREATE INDEX project_members_by_project ON project_members (project_id, user_id);

-- Without a foreign key: projects are never deleted, and a key would lock the project's row with each task.
ALTER TABLE tasks ADD COLUMN project_id uuid;
COMMENT ON COLUMN tasks.project_id IS 'the project whose members read the task; null for a task that every user reads';

-- Labels are counted for each reader, so their rows have the project too.
ALTER TABLE task_labels ADD COLUMN project_id uuid;
CREATE OR REPLACE FUNCTION list_labels() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    DELETE FROM task_labels WHERE label = ANY (OLD.labels) AND task_id = OLD.id;
  END IF;
  IF NEW.deleted_at IS NULL THEN
    INSERT INTO task_labels (label, task_id, project_id) SELECT DISTINCT unnest(NEW.labels), NEW.id, NEW.project_id ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER list_changed_labels AFTER UPDATE ON tasks
  FOR EACH ROW WHEN (
    (OLD.labels, OLD.deleted_at IS NULL, OLD.project_id) IS DISTINCT FROM (NEW.labels, NEW.deleted_at IS NULL, NEW.project_id)
  ) EXECUTE FUNCTION list_labels();

ALTER TABLE task_search ADD COLUMN project_id uuid;
COMMENT ON COLUMN task_search.project_id IS 'narrows suggestions before the task itself decides who reads it';

-- The events of tasks of jobs have the project as well.
CREATE OR REPLACE FUNCTION follow_jobs(task_ids uuid[], job_states text[], actor uuid, headers json) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  changed integer;
BEGIN
  WITH followed AS (
    UPDATE tasks task SET state = step.state, version = task.version + 1,
      updated_at = greatest(clock_timestamp(), task.updated_at + interval '10 microseconds')
    FROM unnest(task_ids, job_states) AS given (task_id, job_state) JOIN (VALUES
      ('leased', 'in_progress', 'started', 'a worker started its job'),
      ('succeeded', 'completed', 'completed', 'its job succeeded'),
      ('cancelled', 'cancelled', 'cancelled', 'its job was cancelled')
    ) AS step (job_state, state, action, reason) USING (job_state)
    WHERE task.id = ANY (task_ids) AND task.id = given.task_id AND task.deleted_at IS NULL AND task.state IN ('draft', 'in_progress')
      AND task.state <> step.state
    RETURNING task.id, task.project_id, task.updated_at, old.state AS from_state, task.state, step.action, step.reason
  ), logged AS (
    INSERT INTO task_activity (task_id, action, actor_id, field, from_value, to_value, reason, created_at)
    SELECT id, action, actor, 'state', to_jsonb(from_state), to_jsonb(state), reason, updated_at FROM followed ORDER BY id
  ), emitted AS (
    INSERT INTO outbox (type, aggregate_id, payload, headers)
    SELECT 'tasks.task.' || action, id::text, json_build_object('task_uuid', id, 'project_id', project_id,
        'timestamp', to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'actor', actor, 'assigned_to', NULL), headers
    FROM followed ORDER BY id
  )
  SELECT count(*) INTO changed FROM followed;
  RETURN changed;
END
$$;
