-- min_version: 0.3.0
-- A claim of jobs with a concurrency key reads neither the leases of other jobs nor the whole table (ADR 46).

-- Leases jobs with a concurrency key of one queue, from the key that was served least recently on. Each claim looks at `most_keys` keys from the key
-- after `after_key` on, round and round. A row without a job comes last if there are others: its key is the last one that was looked at.
-- BETWEEN and ORDER BY keep the count of leased jobs in the index jobs_leased_by_key. For an equation, PostgreSQL takes queue, key and lease for
-- independent, expects many such jobs, and reads other leases or the table until it has found a few. The ids of the leased jobs are also passed as an
-- array, which it looks up one by one; for a join, a plan that is kept for all calls reads the whole table.
-- Leased jobs are counted in a statement after the one that locks the key: in READ COMMITTED, a statement that waited for a lock still counts with its
-- old snapshot (a limit of 3 ran 15). The function keeps that at one round trip.
CREATE OR REPLACE FUNCTION lease_keyed_jobs(
  wanted text, after_key text, most_jobs integer, most_bytes bigint, bytes_beside integer, most_keys integer,
  given_client text, given_worker text, given_lease_ms integer
) RETURNS TABLE (job_id uuid, job_fence bigint, job_key text, job_bytes integer, job_task uuid)
LANGUAGE plpgsql AS $$
DECLARE
  this_key text := after_key;
  is_round boolean := after_key = '';
  keys text[] := '{}';
  last_key text;
  missing text[];
  has_lock boolean := false;
  jobs_left integer := most_jobs;
  bytes_left bigint := most_bytes;
  this_limit job_limits%ROWTYPE;
  free integer;
  taken integer;
  whole_at timestamptz;
  per_job interval;
BEGIN
  WHILE cardinality(keys) < most_keys LOOP
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
    EXIT WHEN is_round AND after_key <> '' AND this_key > after_key;
    keys := keys || this_key;
    last_key := this_key;
  END LOOP;

  SELECT array_agg(listed.key ORDER BY served.served_at NULLS FIRST, listed.key),
      array_agg(listed.key ORDER BY listed.key) FILTER (WHERE served.key IS NULL)
    INTO keys, missing
    FROM unnest(keys) AS listed (key) LEFT JOIN job_keys served ON served.queue = wanted AND served.key = listed.key;
  -- before any lock and in the order of keys, since an insert waits for that of another claim
  IF missing IS NOT NULL THEN
    INSERT INTO job_keys (queue, key) SELECT wanted, missed FROM unnest(missing) AS missed ON CONFLICT DO NOTHING;
  END IF;

  FOREACH this_key IN ARRAY coalesce(keys, '{}') LOOP
    EXIT WHEN jobs_left <= 0 OR bytes_left <= 0;
    this_limit := NULL;
    SELECT * INTO this_limit FROM job_limits WHERE queue = wanted AND key IN (this_key, '*') ORDER BY key = '*' LIMIT 1;
    free := jobs_left;
    IF this_limit.queue IS NULL THEN
      -- only for the order of keys: a claim that has the lock notes the same time
      PERFORM FROM job_keys WHERE queue = wanted AND key = this_key FOR UPDATE SKIP LOCKED;
      whole_at := CASE WHEN FOUND THEN '-infinity'::timestamptz END;
    ELSE
      -- a cheap look without a lock: a saturated key costs the others no more
      IF this_limit.max_running IS NOT NULL THEN
        SELECT count(*) INTO taken FROM (
          SELECT FROM jobs WHERE queue = wanted AND concurrency_key BETWEEN this_key AND this_key AND fence IS NOT NULL
          ORDER BY concurrency_key LIMIT this_limit.max_running) AS running;
        CONTINUE WHEN taken >= this_limit.max_running;
      END IF;
      -- Waits for the first lock, so that no free place stays empty. With a lock, it waits for no other one: claims would deadlock.
      IF has_lock THEN
        SELECT full_at INTO whole_at FROM job_keys WHERE queue = wanted AND key = this_key FOR UPDATE SKIP LOCKED;
      ELSE
        SELECT full_at INTO whole_at FROM job_keys WHERE queue = wanted AND key = this_key FOR UPDATE;
      END IF;
      CONTINUE WHEN NOT FOUND;
      IF this_limit.max_running IS NOT NULL THEN
        SELECT least(free, this_limit.max_running - count(*)) INTO free FROM (
          SELECT FROM jobs WHERE queue = wanted AND concurrency_key BETWEEN this_key AND this_key AND fence IS NOT NULL
          ORDER BY concurrency_key LIMIT this_limit.max_running) AS running;
      END IF;
      IF this_limit.rate_n IS NOT NULL THEN
        per_job := this_limit.rate_ms * interval '1 millisecond' / this_limit.rate_n;
        whole_at := greatest(whole_at, clock_timestamp());
        free := least(free, floor(extract(epoch FROM
          clock_timestamp() + this_limit.rate_ms * interval '1 millisecond' - whole_at) / extract(epoch FROM per_job))::integer);
      END IF;
      has_lock := true;
      CONTINUE WHEN free <= 0;
    END IF;
    has_lock := true;

    taken := 0;
    FOR job_id, job_fence, job_key, job_bytes, job_task IN
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
      FROM fenced WHERE job.id = fenced.id AND job.id = ANY (ARRAY(SELECT id FROM fenced))
      RETURNING job.id, job.fence, job.concurrency_key, job.payload_bytes + bytes_beside, job.task_id
    LOOP
      taken := taken + 1;
      bytes_left := bytes_left - job_bytes;
      RETURN NEXT;
    END LOOP;
    jobs_left := jobs_left - taken;
    IF taken > 0 AND whole_at IS NOT NULL THEN
      UPDATE job_keys SET served_at = clock_timestamp(),
        full_at = CASE WHEN this_limit.rate_n IS NULL THEN full_at ELSE whole_at + taken * per_job END
      WHERE queue = wanted AND key = this_key;
    END IF;
  END LOOP;

  IF cardinality(keys) >= most_keys THEN
    job_id := NULL;
    job_key := last_key;
    RETURN NEXT;
  END IF;
END
$$;
