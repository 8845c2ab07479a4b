-- min_version: 0.3.0
-- mode: outside transaction
-- Leases of a key from a fence on: the count of running jobs passes over the entries of no lease that ended before (ADR 59).
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_leased_by_key_and_fence ON jobs (queue, concurrency_key, fence)
  WHERE fence IS NOT NULL AND concurrency_key IS NOT NULL;
