-- min_version: 0.3.0
-- mode: outside transaction
-- The keys of the jobs that were queued since a process looked last (ADR 59).
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_keyed_by_rank ON jobs (queue, rank_at) INCLUDE (concurrency_key)
  WHERE state = 'queued' AND concurrency_key IS NOT NULL;
