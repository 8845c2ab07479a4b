-- Which key signs follows from the clock: the newest whose time has come. Those before it stay until no token of theirs lives; one that
-- is still to come is shown to verifiers already.
ALTER TABLE signing_keys ADD COLUMN signs_from timestamptz;
UPDATE signing_keys SET signs_from = created_at;
ALTER TABLE signing_keys
  ALTER COLUMN signs_from SET NOT NULL,
  ALTER COLUMN signs_from SET DEFAULT clock_timestamp();
DROP INDEX signing_keys_active;
CREATE UNIQUE INDEX signing_keys_signs_from ON signing_keys (signs_from);
