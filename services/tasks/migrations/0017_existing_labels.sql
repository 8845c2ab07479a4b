-- min_version: 0.2.0
-- mode: backfill
-- The labels of tasks that are older than the triggers.
WITH labelled AS MATERIALIZED (
  SELECT id, labels FROM tasks task
  WHERE labels <> '{}' AND deleted_at IS NULL AND NOT EXISTS (SELECT FROM task_labels WHERE label = task.labels[1] AND task_id = task.id)
  ORDER BY id LIMIT 1000
  FOR NO KEY UPDATE
)
INSERT INTO task_labels (label, task_id) SELECT DISTINCT unnest(labels), id FROM labelled ON CONFLICT DO NOTHING;
