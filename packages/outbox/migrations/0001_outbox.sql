-- Events that are committed and not yet confirmed by the broker. The relay deletes a row once RabbitMQ has it; nothing else does.
CREATE TABLE outbox (
  -- who wrote it: tells what had been committed when the relay looked (packages/outbox/src/reader.ts)
  xid             xid8        NOT NULL DEFAULT pg_current_xact_id(),
  -- given out one at a time, which the relay counts on
  id              bigint      GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
  message_id      uuid        NOT NULL DEFAULT uuidv7(),
  type            text        NOT NULL,
  aggregate_id    text        NOT NULL,
  -- json, not jsonb: it is stored and sent as it was written, and never searched
  payload         json        NOT NULL,
  -- traceparent, tracestate, correlation_id
  headers         json        NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Null: to be published. A time: it could not be published and is tried again then. Infinity: it waits behind a row of its aggregate that
  -- could not.
  next_attempt_at timestamptz,
  attempts        integer     NOT NULL DEFAULT 0,
  last_error      text
) WITH (
  -- a queue is dead rows mostly: vacuum by their number, not by a share of a size that means nothing
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 20000,
  -- cutting off the empty end needs an exclusive lock, which writers would wait for; the space is used again at once
  vacuum_truncate = off
);

-- both are empty as long as everything can be published
CREATE INDEX outbox_held ON outbox (aggregate_id, id) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX outbox_due ON outbox (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
