-- min_version: 0.3.0
-- mode: outside transaction
-- contract: release 0.3.0 counts running jobs in jobs_leased_by_key_and_fence, which begins with the same columns and has the same rows
DROP INDEX CONCURRENTLY IF EXISTS jobs_leased_by_key;
