-- min_version: 0.2.0
-- mode: backfill
-- Tasks that are older than the trigger, which gives them the numbers.
UPDATE tasks SET change_no = 0 WHERE id IN (SELECT id FROM tasks WHERE change_no IS NULL LIMIT 1000);
