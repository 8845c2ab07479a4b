-- min_version: 0.2.0
-- The events that the broker has confirmed, for the journeys of tasks. The relay writes a row in the statement that deletes the row of the outbox.
CREATE TABLE published_events (
  message_id   uuid        PRIMARY KEY,
  type         text        NOT NULL,
  aggregate_id text        NOT NULL,
  headers      json        NOT NULL,
  written_at   timestamptz,
  created_at   timestamptz NOT NULL,
  published_at timestamptz NOT NULL,
  confirmed_at timestamptz NOT NULL
) WITH (
  -- cutting off the empty end needs an exclusive lock, which the relay would wait for
  vacuum_truncate = off
);
CREATE INDEX published_events_of_aggregate ON published_events (aggregate_id, message_id);

COMMENT ON TABLE published_events IS 'Events that the broker has confirmed. All times are by the clock of this database.';
COMMENT ON COLUMN published_events.published_at IS 'When the relay published the event; if it did so repeatedly, the attempt that was confirmed.';

-- Rows of the previous release, and rows that exist already, have the default of the time at which they are written, or null.
ALTER TABLE outbox ADD COLUMN written_at timestamptz;
ALTER TABLE outbox ALTER COLUMN written_at SET DEFAULT statement_timestamp();
COMMENT ON COLUMN outbox.written_at IS
  'When the statement that wrote the row arrived, before it waited for any lock. Minus request_age_us of the headers, it is the arrival of the request.';
