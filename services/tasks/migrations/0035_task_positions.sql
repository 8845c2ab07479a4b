-- min_version: 0.3.0
-- The positions of tasks in views in manual order (ADR 58), written only while the row of the view is locked.
CREATE TABLE task_positions (
  view_id uuid             NOT NULL REFERENCES task_views ON DELETE CASCADE,
  task_id uuid             NOT NULL REFERENCES tasks ON DELETE CASCADE,
  key     text COLLATE "C" NOT NULL,
  PRIMARY KEY (view_id, task_id),
  CONSTRAINT task_positions_key_is_unique UNIQUE (view_id, key)
);
COMMENT ON COLUMN task_positions.key IS 'a key between any two others can always be found; keys sort by their bytes';
CREATE INDEX task_positions_by_task ON task_positions (task_id);
