-- min_version: 0.3.0
-- Claims of jobs with a concurrency key start at floors that the process passes and gets back (ADR 59).

-- The fences of the running jobs of a key, lowest first, up to a number: those of `listed` that are still leased, and those above `counted`.
-- A comparison of rows keeps PostgreSQL in the index jobs_leased_by_key_and_fence. For an equation, it takes queue, key and lease for independent,
-- expects many such jobs, and reads other leases or the table until it has found a few. For a condition on the fence, it may read all leases.
-- VOLATILE, so that a call after a lock sees what was committed before the lock.
CREATE FUNCTION fences_of_running_jobs(wanted text, this_key text, listed bigint[], counted bigint, most integer) RETURNS bigint[]
LANGUAGE sql VOLATILE AS $$
  SELECT coalesce(array_agg(fence ORDER BY fence), '{}') FROM (
    SELECT fence FROM jobs WHERE fence = ANY (listed)
    UNION ALL
    (SELECT fence FROM jobs
      WHERE queue = wanted AND state = 'leased' AND concurrency_key IS NOT NULL
        AND (concurrency_key, fence) > (this_key, counted) AND (concurrency_key, fence) <= (this_key, 9223372036854775807)
      ORDER BY concurrency_key, fence LIMIT most)
  ) AS running
$$;

-- Leases jobs with the concurrency keys `given` of one queue, in their order: [{key, floor, fences, counted}].
-- Each key is read from `floor` on, a rank. Its running jobs are counted among `fences`, and among the leases with a fence above `counted`.
-- Returns the leased jobs in their order, and a row without a job for each key that was looked at: from which rank to read it next time, null if
-- nothing is left; and how to count its running jobs then.
-- Leased jobs are counted in a statement after the one that locks the key: in READ COMMITTED, a statement that waited for a lock still counts with its
-- old snapshot (a limit of 3 ran 15). The function keeps that at one round trip.
-- All leases of a key with a limit are made while its row of job_keys is locked, so a later one has a higher fence than those that a count has seen.
-- Plans are kept: making one for the values of a call looks for the ends of indexes, and passes over the entries of claimed jobs there. A plan that was
-- made for a small table must suit a large one, too, so it may only read indexes in their order.
-- Claims that found no limit may still be running shortly after it was set; so a new limit counts all leases at first.
CREATE FUNCTION lease_jobs_of_keys(
  wanted text, given json, most_jobs integer, most_bytes bigint, bytes_beside integer,
  given_client text, given_worker text, given_lease_ms integer
) RETURNS TABLE (
  job_id uuid, job_fence bigint, job_key text, job_bytes integer, job_task uuid, next_floor timestamptz, next_fences bigint[], next_counted bigint
)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_sort = off SET enable_bitmapscan = off SET enable_seqscan = off AS $$
DECLARE
  this record;
  -- longer than two statements may take: the one that sets the limit, and the claim that did not see it
  settled_after CONSTANT interval := '15 seconds';
  -- leases that are older by as many fences are listed one by one, so that no count passes over the entries of more
  most_between CONSTANT bigint := 1000;
  most_listed CONSTANT integer := 20;
  -- as for jobs without a key: later jobs may be committed with an earlier rank
  behind_clock CONSTANT interval := '100 milliseconds';
  has_lock boolean := false;
  jobs_left integer := most_jobs;
  bytes_left bigint := most_bytes;
  last_fence bigint;
  free integer;
  found_jobs integer;
  taken integer;
  this_rank timestamptz;
  last_rank timestamptz;
  running bigint[];
  whole_at timestamptz;
  per_job interval;
BEGIN
  -- lower than what was counted after a failover to a standby that was behind
  SELECT last_value INTO last_fence FROM job_fences;
  -- before any lock and in the order of keys, since an insert waits for that of another claim
  INSERT INTO job_keys (queue, key)
    SELECT wanted, listed.key FROM json_to_recordset(given) AS listed (key text)
    WHERE EXISTS (SELECT FROM job_limits WHERE queue = wanted AND key IN (listed.key, '*'))
      AND NOT EXISTS (SELECT FROM job_keys existing WHERE existing.queue = wanted AND existing.key = listed.key)
    ORDER BY listed.key ON CONFLICT DO NOTHING;

  FOR this IN
    SELECT listed.*, kept.queue IS NOT NULL AS is_limited, kept.max_running, kept.rate_n, kept.rate_ms,
      kept.updated_at < clock_timestamp() - settled_after AS is_settled
    FROM ROWS FROM (json_to_recordset(given) AS (key text, floor timestamptz, fences bigint[], counted bigint)) WITH ORDINALITY
        AS listed (key, floor, fences, counted, place)
      LEFT JOIN LATERAL (SELECT * FROM job_limits WHERE queue = wanted AND key IN (listed.key, '*') ORDER BY key = '*' LIMIT 1) AS kept ON true
    ORDER BY listed.place
  LOOP
    EXIT WHEN jobs_left <= 0 OR bytes_left <= 0;
    free := jobs_left;
    taken := 0;
    running := '{}';
    job_key := this.key;
    next_floor := this.floor;
    IF NOT coalesce(this.is_settled, false) OR this.counted > last_fence THEN
      this.fences := '{}';
      this.counted := 0;
    END IF;

    -- a cheap look without a lock: a saturated key costs the others no more
    IF this.max_running IS NOT NULL THEN
      running := fences_of_running_jobs(wanted, this.key, this.fences, this.counted, this.max_running);
      free := least(free, this.max_running - cardinality(running));
    END IF;
    IF this.is_limited AND free > 0 THEN
      -- Waits for the first lock, so that no free place stays empty. With a lock, it waits for no other one: claims would deadlock.
      IF has_lock THEN
        SELECT full_at INTO whole_at FROM job_keys WHERE queue = wanted AND key = this.key FOR UPDATE SKIP LOCKED;
      ELSE
        SELECT full_at INTO whole_at FROM job_keys WHERE queue = wanted AND key = this.key FOR UPDATE;
      END IF;
      CONTINUE WHEN NOT FOUND;
      has_lock := true;
      IF this.max_running IS NOT NULL THEN
        running := fences_of_running_jobs(wanted, this.key, this.fences, this.counted, this.max_running);
        free := least(free, this.max_running - cardinality(running));
      END IF;
      IF this.rate_n IS NOT NULL THEN
        per_job := this.rate_ms * interval '1 millisecond' / this.rate_n;
        whole_at := greatest(whole_at, clock_timestamp());
        free := least(free, floor(extract(epoch FROM
          clock_timestamp() + this.rate_ms * interval '1 millisecond' - whole_at) / extract(epoch FROM per_job))::integer);
      END IF;
    END IF;

    IF free > 0 THEN
      last_rank := this.floor;
      FOR job_id, job_fence, job_bytes, job_task, this_rank, found_jobs IN
        WITH found AS MATERIALIZED (
          SELECT job.id, job.rank_at, job.payload_bytes FROM jobs job
          WHERE job.queue = wanted AND job.state = 'queued' AND job.concurrency_key IS NOT NULL
            AND (job.concurrency_key, job.rank_at) >= (this.key, this.floor) AND job.concurrency_key <= this.key
            AND (job.deadline IS NULL OR job.deadline > clock_timestamp())
          ORDER BY job.concurrency_key, job.rank_at, job.id LIMIT free FOR UPDATE SKIP LOCKED
        ), chosen AS MATERIALIZED (
          SELECT array_agg(id ORDER BY rank_at, id) AS ids FROM (
            SELECT id, rank_at, sum(payload_bytes + bytes_beside) OVER (ORDER BY rank_at, id) AS bytes FROM found) AS ranked
          WHERE bytes <= bytes_left
        ), leased AS (
          UPDATE jobs job SET state = 'leased', fence = nextval('job_fences'), lease_ms = given_lease_ms, leased_at = clock_timestamp(),
            lease_expires_at = clock_timestamp() + given_lease_ms * interval '1 millisecond', is_confirmed = false, had_grace = false,
            client_id = given_client, worker = given_worker, progress = NULL
          FROM chosen WHERE job.id = ANY (chosen.ids)
          RETURNING job.id, job.fence, job.payload_bytes + bytes_beside AS bytes, job.task_id, job.rank_at, array_position(chosen.ids, job.id) AS place
        )
        SELECT leased.id, leased.fence, leased.bytes, leased.task_id, leased.rank_at, (SELECT count(*) FROM found)
        FROM (SELECT) AS one LEFT JOIN leased ON true ORDER BY leased.place
      LOOP
        CONTINUE WHEN job_id IS NULL;
        taken := taken + 1;
        bytes_left := bytes_left - job_bytes;
        last_rank := greatest(last_rank, this_rank);
        running := running || job_fence;
        RETURN NEXT;
      END LOOP;
      jobs_left := jobs_left - taken;
      IF taken = found_jobs AND taken = free THEN
        next_floor := least(last_rank, clock_timestamp() - behind_clock);
      ELSIF taken = found_jobs THEN
        -- what is left is locked by others
        SELECT job.rank_at INTO next_floor FROM jobs job
          WHERE job.queue = wanted AND job.state = 'queued' AND job.concurrency_key IS NOT NULL
            AND (job.concurrency_key, job.rank_at) >= (this.key, this.floor) AND job.concurrency_key <= this.key
          ORDER BY job.concurrency_key, job.rank_at, job.id LIMIT 1;
      END IF;
      -- The time of service only keeps the row, so it changes once an hour: while a snapshot is held, each claim reads all versions of the row. Those
      -- that differ in nothing that is indexed share their pages and one entry of each index.
      IF taken > 0 AND this.is_limited THEN
        UPDATE job_keys SET
          served_at = CASE WHEN served_at < clock_timestamp() - interval '1 hour' THEN clock_timestamp() ELSE served_at END,
          full_at = CASE WHEN this.rate_n IS NULL THEN full_at ELSE whole_at + taken * per_job END
        WHERE queue = wanted AND key = this.key AND (this.rate_n IS NOT NULL OR served_at < clock_timestamp() - interval '1 hour');
      END IF;
    END IF;

    next_fences := this.fences;
    next_counted := this.counted;
    IF this.max_running IS NOT NULL AND this.is_settled THEN
      SELECT coalesce(array_agg(fence ORDER BY fence) FILTER (WHERE is_listed), '{}'),
          coalesce(min(fence) FILTER (WHERE NOT is_listed) - 1, this.counted)
        INTO next_fences, next_counted FROM (
          SELECT fence, fence < max(fence) OVER () - most_between AND row_number() OVER (ORDER BY fence) <= most_listed AS is_listed
          FROM unnest(running) AS fence) AS judged;
    END IF;
    job_id := NULL;
    job_fence := NULL;
    job_bytes := NULL;
    job_task := NULL;
    RETURN NEXT;
  END LOOP;
END
$$;
