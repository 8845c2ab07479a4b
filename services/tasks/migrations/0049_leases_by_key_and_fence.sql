-- min_version: 0.3.0
-- mode: outside transaction
-- Leases of a key from a fence on: the count of running jobs passes over the entries of no lease that ended before (ADR 59). The condition is the state
-- and not the fence, so that PostgreSQL does not read the index of all leases, jobs_leased, when statistics say that there are few.
-- jobs_leased_by_key remains for release 0.3.0.
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_leased_by_key_and_fence ON jobs (queue, concurrency_key, fence)
  WHERE state = 'leased' AND concurrency_key IS NOT NULL;
