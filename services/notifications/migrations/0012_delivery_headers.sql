-- min_version: 0.2.0
-- The trace and the id of the request that caused the delivery, as in the outbox: traceparent, tracestate, correlation_id. Null for deliveries that
-- the release before planned.
ALTER TABLE deliveries ADD COLUMN headers json;
