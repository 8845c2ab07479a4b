-- min_version: 0.2.0
-- Comments on tasks (ADR 54). Written only while the row of their task is locked.
CREATE TABLE task_comments (
  id         uuid        PRIMARY KEY DEFAULT uuidv7(),
  task_id    uuid        NOT NULL REFERENCES tasks ON DELETE CASCADE,
  author_id  uuid        NOT NULL,
  body       text        NOT NULL,
  mentions   uuid[]      NOT NULL,
  version    integer     NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
COMMENT ON COLUMN task_comments.mentions IS 'the users in the text, in the order of their first mention';
CREATE INDEX task_comments_by_task ON task_comments (task_id, id);
