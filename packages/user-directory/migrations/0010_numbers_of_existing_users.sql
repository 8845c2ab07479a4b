-- min_version: 0.3.0
-- mode: backfill
-- Users that are older than the trigger, which gives them the numbers.
UPDATE directory_users SET change_no = 0 WHERE id IN (SELECT id FROM directory_users WHERE change_no IS NULL LIMIT 1000);
