-- When it happened, by the clock of the service that published the event, and never later than this database's own: what a person gets about one task
-- goes out in this order. Null where it is about no task, and in rows from before this column.
ALTER TABLE notifications ADD COLUMN happened_at timestamptz;

-- what waits has to keep its place before what comes
UPDATE notifications SET happened_at = created_at
WHERE task_id IS NOT NULL AND id IN (SELECT notification_id FROM deliveries WHERE due_at IS NOT NULL);

CREATE INDEX notifications_of_task ON notifications (task_id, user_id, happened_at) WHERE happened_at IS NOT NULL;

-- what is being handed over, a few rows, which each claim reads
CREATE INDEX deliveries_sending ON deliveries (channel) WHERE state = 'sending';

-- Where the task stands. A build that does not know these columns stores newer versions without them, so they hold for `progress_version` alone.
ALTER TABLE task_cache
  ADD COLUMN state text,
  ADD COLUMN assignee_id uuid,
  ADD COLUMN progress_version integer;
