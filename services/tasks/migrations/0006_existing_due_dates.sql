-- min_version: 0.2.0
-- mode: backfill
-- Arms the reminders of tasks that are older than the triggers. A task that was overdue before there were reminders is not reminded of: an upgrade
-- would otherwise send a mail for each of them.
WITH dated AS MATERIALIZED (
  SELECT id, due_at, remind_before, due_time_zone FROM tasks task
  WHERE due_at IS NOT NULL AND deleted_at IS NULL AND state NOT IN ('completed', 'cancelled')
    AND NOT EXISTS (SELECT FROM task_reminders WHERE task_id = task.id AND kind = 'overdue' AND due_at = task.due_at)
  ORDER BY id LIMIT 1000
  FOR NO KEY UPDATE
)
INSERT INTO task_reminders (task_id, kind, due_at, remind_at, state, settled_at)
SELECT id, kind, due_at, CASE kind WHEN 'overdue' THEN due_at ELSE reminder_time(due_at, remind_before, due_time_zone) END,
  CASE WHEN due_at <= now() THEN 'skipped' ELSE 'armed' END, CASE WHEN due_at <= now() THEN now() END
FROM dated CROSS JOIN unnest(ARRAY['due_soon', 'overdue']) AS kinds (kind)
ON CONFLICT DO NOTHING;
