-- min_version: 0.2.0
-- Where a message came from, and when, for the journeys of tasks. All null for messages recorded by an earlier release.
ALTER TABLE inbox
  ADD COLUMN type           text,
  ADD COLUMN aggregate_id   text,
  ADD COLUMN correlation_id text,
  ADD COLUMN created_at     timestamptz,
  ADD COLUMN published_at   timestamptz,
  ADD COLUMN consumed_at    timestamptz;

COMMENT ON COLUMN inbox.created_at IS 'When the publisher stored the event, by the clock of its database.';
COMMENT ON COLUMN inbox.published_at IS 'When the publisher sent the copy that was consumed first, by the clock of its database.';
COMMENT ON COLUMN inbox.consumed_at IS 'When the message arrived from its queue; received_at is when it was recorded.';
