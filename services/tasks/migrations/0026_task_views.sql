-- min_version: 0.2.0
-- Saved searches of users.
CREATE TABLE task_views (
  id         uuid        PRIMARY KEY DEFAULT uuidv7(),
  creator_id uuid        NOT NULL,
  name       text        NOT NULL,
  is_shared  boolean     NOT NULL,
  -- json, not jsonb: it is returned as it was sent, and never searched
  filter     json,
  q          text,
  sort       text,
  version    integer     NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX task_views_by_creator ON task_views (creator_id, id);
CREATE INDEX task_views_shared ON task_views (id) WHERE is_shared;
