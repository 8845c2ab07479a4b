-- Whether the service has yet to do what it does once for each new user (Notifications welcomes them): by the event of the creation, or, when that
-- never came, by the sweep that finds the user. Not for users from before: their events may still be on their way, and do it.
ALTER TABLE directory_users ADD COLUMN awaits_introduction boolean NOT NULL DEFAULT false;
ALTER TABLE directory_users ALTER COLUMN awaits_introduction SET DEFAULT true;
CREATE INDEX directory_users_to_introduce ON directory_users (id) WHERE awaits_introduction;
