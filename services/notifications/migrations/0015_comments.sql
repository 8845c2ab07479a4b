-- min_version: 0.3.0
-- The comment that a notification is about. Null for other notifications, and for those that release 0.3.0 wrote.
ALTER TABLE notifications ADD COLUMN comment_id uuid;
