-- A user is welcomed once, by the event of the creation or by the sweep that finds a user whose event was lost, whichever comes first.
CREATE UNIQUE INDEX notifications_one_welcome ON notifications (user_id) WHERE type = 'user.welcome';
