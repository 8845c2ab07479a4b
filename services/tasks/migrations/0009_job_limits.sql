-- min_version: 0.2.0
-- Limits of jobs with a concurrency key (ADR 46).

CREATE TABLE job_limits (
  queue       text        NOT NULL,
  key         text        NOT NULL,
  max_running integer     CHECK (max_running > 0),
  rate_n      integer     CHECK (rate_n > 0),
  rate_ms     bigint      CHECK (rate_ms > 0),
  updated_by  text        NOT NULL,
  updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (queue, key),
  CONSTRAINT job_limits_rate_is_whole CHECK ((rate_n IS NULL) = (rate_ms IS NULL)),
  CONSTRAINT job_limits_limit_something CHECK (num_nonnulls(max_running, rate_n) > 0)
);
COMMENT ON COLUMN job_limits.key IS '*: every key of the queue without limits of its own, each by itself';

CREATE TABLE job_keys (
  queue     text        NOT NULL,
  key       text        NOT NULL,
  served_at timestamptz NOT NULL DEFAULT '-infinity',
  -- when the allowance of the rate is whole again (generic cell rate algorithm)
  full_at   timestamptz NOT NULL DEFAULT '-infinity',
  PRIMARY KEY (queue, key)
);
CREATE INDEX job_keys_by_service ON job_keys (served_at);

-- Leases jobs with a concurrency key of one queue, key by key, from the key after `after_key` on, round and round, so that every key has its turn.
-- Leased jobs are counted in a statement after the one that locks the key: in READ COMMITTED, a statement that waited for a lock still counts with its
-- old snapshot (a limit of 3 ran 15). The function keeps that at one round trip.
CREATE FUNCTION lease_keyed_jobs(
  wanted text, after_key text, most_jobs integer, most_bytes bigint, bytes_beside integer, most_keys integer,
  given_client text, given_worker text, given_lease_ms integer
) RETURNS TABLE (job_id uuid, job_fence bigint, job_key text, job_bytes integer)
LANGUAGE plpgsql AS $$
DECLARE
  this_key text := after_key;
  is_round boolean := false;
  has_lock boolean := false;
  jobs_left integer := most_jobs;
  bytes_left bigint := most_bytes;
  this_limit job_limits%ROWTYPE;
  free integer;
  taken integer;
  whole_at timestamptz;
  per_job interval;
BEGIN
  FOR looked IN 1 .. most_keys LOOP
    EXIT WHEN jobs_left <= 0 OR bytes_left <= 0;
    -- one probe for each key, however many jobs it has
    SELECT concurrency_key INTO this_key FROM jobs
      WHERE queue = wanted AND state = 'queued' AND concurrency_key IS NOT NULL AND concurrency_key > this_key
      ORDER BY concurrency_key LIMIT 1;
    IF this_key IS NULL THEN
      EXIT WHEN is_round;
      is_round := true;
      this_key := '';
      CONTINUE;
    END IF;
    EXIT WHEN is_round AND this_key > after_key;

    this_limit := NULL;
    SELECT * INTO this_limit FROM job_limits WHERE queue = wanted AND key IN (this_key, '*') ORDER BY key = '*' LIMIT 1;
    free := jobs_left;
    IF this_limit.queue IS NOT NULL THEN
      -- a cheap look without a lock: a saturated key costs the others no more
      SELECT count(*) INTO taken FROM (
        SELECT FROM jobs WHERE queue = wanted AND concurrency_key = this_key AND fence IS NOT NULL LIMIT this_limit.max_running) AS running;
      CONTINUE WHEN taken >= this_limit.max_running;
      INSERT INTO job_keys (queue, key) VALUES (wanted, this_key) ON CONFLICT DO NOTHING;
      -- Waits for the first lock, so that no free place stays empty. With a lock, it waits for no other one: claims would deadlock.
      IF has_lock THEN
        SELECT full_at INTO whole_at FROM job_keys WHERE queue = wanted AND key = this_key FOR UPDATE SKIP LOCKED;
      ELSE
        SELECT full_at INTO whole_at FROM job_keys WHERE queue = wanted AND key = this_key FOR UPDATE;
      END IF;
      CONTINUE WHEN NOT FOUND;
      has_lock := true;
      IF this_limit.max_running IS NOT NULL THEN
        SELECT least(free, this_limit.max_running - count(*)) INTO free
          FROM jobs WHERE queue = wanted AND concurrency_key = this_key AND fence IS NOT NULL;
      END IF;
      IF this_limit.rate_n IS NOT NULL THEN
        per_job := this_limit.rate_ms * interval '1 millisecond' / this_limit.rate_n;
        whole_at := greatest(whole_at, clock_timestamp());
        free := least(free, floor(extract(epoch FROM
          clock_timestamp() + this_limit.rate_ms * interval '1 millisecond' - whole_at) / extract(epoch FROM per_job))::integer);
      END IF;
      CONTINUE WHEN free <= 0;
    END IF;

    taken := 0;
    FOR job_id, job_fence, job_key, job_bytes IN
      WITH found AS MATERIALIZED (
        SELECT job.id, job.rank_at, job.payload_bytes FROM jobs job
        WHERE job.queue = wanted AND job.state = 'queued' AND job.concurrency_key = this_key
          AND (job.deadline IS NULL OR job.deadline > clock_timestamp())
        ORDER BY job.rank_at, job.id LIMIT free FOR UPDATE SKIP LOCKED
      ), fenced AS MATERIALIZED (
        SELECT id, nextval('job_fences') AS fence FROM (
          SELECT id, sum(payload_bytes + bytes_beside) OVER (ORDER BY rank_at, id) AS bytes FROM found) AS ranked
        WHERE bytes <= bytes_left
      )
      UPDATE jobs job SET state = 'leased', fence = fenced.fence, lease_ms = given_lease_ms, leased_at = clock_timestamp(),
        lease_expires_at = clock_timestamp() + given_lease_ms * interval '1 millisecond', is_confirmed = false, had_grace = false,
        client_id = given_client, worker = given_worker, progress = NULL
      FROM fenced WHERE job.id = fenced.id
      RETURNING job.id, job.fence, job.concurrency_key, job.payload_bytes + bytes_beside
    LOOP
      taken := taken + 1;
      bytes_left := bytes_left - job_bytes;
      RETURN NEXT;
    END LOOP;
    jobs_left := jobs_left - taken;
    IF taken > 0 AND this_limit.queue IS NOT NULL THEN
      UPDATE job_keys SET served_at = clock_timestamp(),
        full_at = CASE WHEN this_limit.rate_n IS NULL THEN full_at ELSE whole_at + taken * per_job END
      WHERE queue = wanted AND key = this_key;
    END IF;
  END LOOP;
END
$$;
