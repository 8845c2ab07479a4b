-- min_version: 0.1.0
-- The number of partitions of all events, in one row; only `taskwire partitions` changes it (ADR 41).
CREATE TABLE event_partitions (
  singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  count      integer NOT NULL DEFAULT 1 CHECK (count BETWEEN 1 AND 64),
  -- running: relays publish and consumers consume. draining: consumers alone work. switching: neither works.
  phase      text    NOT NULL DEFAULT 'running' CHECK (phase IN ('running', 'draining', 'switching')),
  -- the number after the change that is under way
  next_count integer CHECK (next_count BETWEEN 1 AND 64),
  CHECK ((phase = 'running') = (next_count IS NULL))
);
INSERT INTO event_partitions DEFAULT VALUES;
