-- Names of the field for tables and columns, and a lease with an expiry of its own. No row is lost; the statements take milliseconds, except for the
-- two indexes, whose table holds only messages that are not completed.
ALTER TABLE inbox_retries RENAME TO inbox_pending;
ALTER TABLE inbox_pending RENAME COLUMN crashes TO crash_count;
ALTER TABLE inbox_pending RENAME COLUMN lease TO lease_id;
ALTER TABLE inbox_pending RENAME COLUMN uncounted TO free_attempts;
ALTER TABLE inbox_pending RENAME COLUMN tried_since TO pending_since;
ALTER TABLE inbox_pending RENAME CONSTRAINT inbox_retries_pkey TO inbox_pending_pkey;
ALTER TABLE inbox_pending RENAME CONSTRAINT inbox_retries_message_id_handler_key TO inbox_pending_message_id_handler_key;
ALTER TABLE inbox_pending RENAME CONSTRAINT inbox_retries_state_check TO inbox_pending_state_check;
ALTER TABLE inbox_pending RENAME CONSTRAINT inbox_retries_check TO inbox_pending_retry_has_next_attempt;
ALTER SEQUENCE inbox_retries_seq_seq RENAME TO inbox_pending_seq_seq;
ALTER INDEX inbox_retries_key RENAME TO inbox_pending_key;

-- until now, next_attempt_at of a leased message was the expiry of its lease
ALTER TABLE inbox_pending ADD COLUMN lease_expires_at timestamptz;
UPDATE inbox_pending SET lease_expires_at = next_attempt_at WHERE lease_id IS NOT NULL;
ALTER TABLE inbox_pending
  ADD CONSTRAINT inbox_pending_lease_has_expiry CHECK ((lease_id IS NULL) = (lease_expires_at IS NULL)),
  ADD CONSTRAINT inbox_pending_lease_is_for_retry CHECK (lease_id IS NULL OR state = 'retry');
DROP INDEX inbox_retries_due;
CREATE INDEX inbox_pending_due ON inbox_pending (next_attempt_at) WHERE state = 'retry' AND lease_id IS NULL;
CREATE INDEX inbox_pending_leases ON inbox_pending (lease_expires_at) WHERE lease_id IS NOT NULL;

COMMENT ON TABLE inbox_pending IS 'Messages that are accepted from the queue and not completed, for one handler each.';
COMMENT ON COLUMN inbox_pending.state IS
  'retry: due at next_attempt_at, or leased until lease_expires_at. waiting: behind an earlier message with its handler and key. dead: a dead letter that blocks the messages behind it until it is replayed or dropped.';
COMMENT ON COLUMN inbox_pending.free_attempts IS 'Attempts that do not count, because a dependency of the handler was unavailable.';
COMMENT ON COLUMN inbox_pending.pending_since IS 'When the message arrived or was replayed. Limits free attempts.';
COMMENT ON COLUMN inbox_pending.crash_count IS 'Leases that expired because a process died or hung while it handled this message.';

ALTER TABLE dead_letters RENAME COLUMN unrouted TO needs_routing;
ALTER TABLE dead_letters RENAME COLUMN settled_at TO resolved_at;
ALTER TABLE dead_letters RENAME COLUMN settled_by TO resolved_by;
ALTER TABLE dead_letters RENAME COLUMN settled_reason TO resolved_reason;
ALTER TABLE dead_letters RENAME CONSTRAINT dead_letters_check TO dead_letters_resolved_unless_dead;
ALTER INDEX dead_letters_unrouted RENAME TO dead_letters_needs_routing;
COMMENT ON COLUMN dead_letters.needs_routing IS 'A replayed message that never had a handler; the service looks for one.';
