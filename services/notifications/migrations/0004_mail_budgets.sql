-- Who caused it: their name is taken out once Auth has erased them, and the mails that they cause are counted. Null for the system itself, for those who were
-- erased, and in rows from before this column, which go with their retention.
ALTER TABLE notifications ADD COLUMN actor_id uuid;
CREATE INDEX notifications_actor_id ON notifications (actor_id) WHERE actor_id IS NOT NULL;

-- Mails that were let through by the budgets, each once, for as long as a delivery may be tried again.
CREATE TABLE mail_counts (
  delivery_id uuid        PRIMARY KEY REFERENCES deliveries (id) ON DELETE CASCADE,
  -- a hash of mailbox and kind: the addresses of links are kept nowhere
  recipient   bytea       NOT NULL,
  caller_id   uuid,
  -- when the delivery was planned, so that an outage of the mail server makes nobody's mails come at once
  planned_at  timestamptz NOT NULL
);
CREATE INDEX mail_counts_recipient ON mail_counts (recipient, planned_at);
CREATE INDEX mail_counts_caller ON mail_counts (caller_id, planned_at) WHERE caller_id IS NOT NULL;
CREATE INDEX mail_counts_planned_at ON mail_counts (planned_at);
