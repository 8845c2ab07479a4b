-- min_version: 0.2.0
-- Jobs: work that programs carry out (ADR 46).

-- A fence grows with every lease. CACHE 1, so that the order of fences is the order of leases, whichever connection gives them out.
CREATE SEQUENCE job_fences CACHE 1;

CREATE TABLE jobs (
  -- made by the database, so that the order of ids is the order of its clock, whichever replica inserts
  id                 uuid        PRIMARY KEY DEFAULT uuidv7(),
  queue              text        NOT NULL,
  kind               text        NOT NULL,
  -- json, not jsonb: it is stored and sent as it was written, and never searched
  payload            json        NOT NULL,
  payload_bytes      integer     NOT NULL,
  state              text        NOT NULL CHECK (state IN ('scheduled', 'queued', 'leased', 'succeeded', 'dead', 'cancelled')),
  priority           smallint    NOT NULL CHECK (priority BETWEEN 0 AND 9),
  run_at             timestamptz NOT NULL,
  rank_at            timestamptz NOT NULL,
  deadline           timestamptz,
  max_attempts       integer     NOT NULL,
  attempts           integer     NOT NULL DEFAULT 0,
  crashes            integer     NOT NULL DEFAULT 0,
  undelivered        integer     NOT NULL DEFAULT 0,
  awaits_predecessor boolean     NOT NULL DEFAULT false,
  has_dependents     boolean     NOT NULL DEFAULT false,
  unique_key         text,
  unique_until       timestamptz,
  holds_key          boolean     NOT NULL DEFAULT false,
  concurrency_key    text,
  fence              bigint,
  lease_ms           integer,
  lease_expires_at   timestamptz,
  leased_at          timestamptz,
  is_confirmed       boolean     NOT NULL DEFAULT false,
  had_grace          boolean     NOT NULL DEFAULT false,
  client_id          text,
  worker             text,
  cancel_requested   boolean     NOT NULL DEFAULT false,
  progress           json,
  result             json,
  error              json,
  reason             text,
  created_by         text        NOT NULL,
  created_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
  settled_at         timestamptz,
  CONSTRAINT jobs_leased_has_fence CHECK ((state = 'leased') = (fence IS NOT NULL)),
  CONSTRAINT jobs_lease_has_expiry CHECK (fence IS NULL OR num_nulls(lease_ms, lease_expires_at, leased_at) = 0),
  CONSTRAINT jobs_settled_has_time CHECK ((state IN ('succeeded', 'dead', 'cancelled')) = (settled_at IS NOT NULL)),
  CONSTRAINT jobs_only_scheduled_await CHECK (NOT awaits_predecessor OR state IN ('scheduled', 'dead', 'cancelled'))
) WITH (
  -- a heartbeat changes no indexed column, so its new row stays on the page (HOT) while there is room: about six rows of 400 bytes
  fillfactor = 70,
  -- each job leaves two dead rows or more, and settled jobs stay for days: vacuum by the number of dead rows, not by a share of the table
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 20000,
  -- cutting off the empty end needs an exclusive lock, which workers would wait for
  vacuum_truncate = off
);
COMMENT ON COLUMN jobs.rank_at IS 'the order of claims: run_at - priority * 60 s';
COMMENT ON COLUMN jobs.awaits_predecessor IS 'a predecessor has not succeeded yet';
COMMENT ON COLUMN jobs.has_dependents IS 'jobs wait for this one; false again once they know how it ended';
COMMENT ON COLUMN jobs.unique_until IS 'the end of the window of the unique key; null: until the job is settled';
COMMENT ON COLUMN jobs.fence IS 'the number of the lease; null when no worker has it';
COMMENT ON COLUMN jobs.is_confirmed IS 'the worker sent a heartbeat in this lease';
COMMENT ON COLUMN jobs.had_grace IS 'the lease was extended after an outage, and no heartbeat came since';

-- Each queue is claimed by itself from the front of this index. A job with a concurrency key is not in it: a saturated key would be waded through.
CREATE INDEX jobs_claimable ON jobs (queue, rank_at, id) WHERE state = 'queued' AND concurrency_key IS NULL;
CREATE INDEX jobs_claimable_by_key ON jobs (queue, concurrency_key, rank_at, id) WHERE state = 'queued' AND concurrency_key IS NOT NULL;
CREATE INDEX jobs_due ON jobs (run_at) WHERE state = 'scheduled' AND NOT awaits_predecessor;
-- by fence, which grows: whoever looks for leases starts at the lowest one that is left, and skips the dead entries below it
CREATE INDEX jobs_leased ON jobs (fence) WHERE fence IS NOT NULL;
CREATE INDEX jobs_leased_by_key ON jobs (queue, concurrency_key) WHERE fence IS NOT NULL AND concurrency_key IS NOT NULL;
CREATE UNIQUE INDEX jobs_unique ON jobs (queue, unique_key) WHERE holds_key;
CREATE INDEX jobs_deadlines ON jobs (deadline) WHERE deadline IS NOT NULL AND state IN ('scheduled', 'queued');
CREATE INDEX jobs_with_dependents ON jobs (id) WHERE has_dependents AND settled_at IS NOT NULL;
CREATE INDEX jobs_dead ON jobs (id) WHERE state = 'dead';
CREATE INDEX jobs_settled ON jobs (settled_at) WHERE settled_at IS NOT NULL;

-- One row for each ended lease: the same settlement again gets the first answer.
CREATE TABLE job_attempts (
  fence     bigint      PRIMARY KEY,
  job_id    uuid        NOT NULL,
  attempt   integer     NOT NULL,
  outcome   text        NOT NULL CHECK (outcome IN ('completed', 'failed', 'released', 'crashed', 'undelivered')),
  answer    json        NOT NULL,
  error     json,
  client_id text,
  worker    text,
  leased_at timestamptz NOT NULL,
  ended_at  timestamptz NOT NULL
);
CREATE INDEX job_attempts_by_age ON job_attempts (ended_at);

-- One row for each claim that leased something: the same claim again gets the same jobs.
CREATE TABLE job_claims (
  client_id  text        NOT NULL,
  claim_id   uuid        NOT NULL,
  job_ids    uuid[]      NOT NULL,
  fences     bigint[]    NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (client_id, claim_id)
);
CREATE INDEX job_claims_by_expiry ON job_claims (expires_at);

CREATE TABLE job_dependencies (
  job_id         uuid NOT NULL,
  predecessor_id uuid NOT NULL,
  PRIMARY KEY (predecessor_id, job_id)
);
CREATE INDEX job_dependencies_by_job ON job_dependencies (job_id);

-- One row: what the reaper knows of outages.
CREATE TABLE job_reaper (
  singleton boolean     PRIMARY KEY DEFAULT true CHECK (singleton),
  ticked_at timestamptz NOT NULL DEFAULT '-infinity',
  is_outage boolean     NOT NULL DEFAULT false
);
INSERT INTO job_reaper DEFAULT VALUES;

-- One row: when any worker was heard last. Apart from job_reaper, whose row is locked during a round.
CREATE TABLE job_contact (
  singleton boolean     PRIMARY KEY DEFAULT true CHECK (singleton),
  heard_at  timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO job_contact DEFAULT VALUES;
