-- min_version: 0.3.0
-- Templates of tasks with their sub-tasks (ADR 58).
CREATE TABLE task_templates (
  id         uuid        PRIMARY KEY DEFAULT uuidv7(),
  creator_id uuid        NOT NULL,
  name       text        NOT NULL,
  is_shared  boolean     NOT NULL,
  task       json        NOT NULL,
  subtasks   json        NOT NULL,
  blocks     json        NOT NULL,
  version    integer     NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN task_templates.blocks IS 'which tasks wait for which, by their indexes: 0 for task, n for the n-th of subtasks';
CREATE INDEX task_templates_by_creator ON task_templates (creator_id, id);
CREATE INDEX task_templates_shared ON task_templates (id) WHERE is_shared;
