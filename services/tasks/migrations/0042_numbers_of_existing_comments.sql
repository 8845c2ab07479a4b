-- min_version: 0.3.0
-- mode: backfill
-- Comments that are older than the trigger, which gives them the numbers.
UPDATE task_comments SET change_no = 0 WHERE id IN (SELECT id FROM task_comments WHERE change_no IS NULL LIMIT 1000);
