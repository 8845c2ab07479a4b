-- min_version: 0.3.0
-- Bulk requests (ADR 58) store the result of each operation under a key of its own, refusals included.
ALTER TABLE idempotency_keys ADD COLUMN status integer;
COMMENT ON COLUMN idempotency_keys.status IS 'of a refused operation of a bulk request; null for a success';
