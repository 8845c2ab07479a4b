import { isoMicros } from '@taskwire/postgres';
import { jobEventsSql } from './events.ts';
import { followJobsSql } from './follow-jobs.ts';
import { retryPause } from '../../domain/jobs/back-off.ts';
import { mostCrashes, mostUndelivered, priorityStepSeconds } from '../../domain/jobs/limits.ts';

/** The columns of a locked row that decide what follows its lease, for `endLeaseSql`. */
export const leaseColumns = `job.id, job.fence, job.priority, job.attempts, job.max_attempts, job.crashes, job.undelivered,
      job.cancel_requested, job.cancel_is_final, job.is_confirmed, job.leased_at, job.client_id, job.worker`;

/**
 * The WITH parts that end leases. `locked` names a part with rows that this statement has locked: `leaseColumns`; `verb` (completed, failed, released or
 * expired); `is_final`; `retry_after_ms`, or null for the back-off; `jitter`, from 0 to 1; `result` and `error` as JSON text or null. The part
 * `ended` has the jobs afterwards; the states of their tasks have followed. `headers` is the parameter of the events' headers.
 *
 * The ids are also passed as an array, which PostgreSQL looks up one by one. For a join with up to 1,000 rows alone, it would read the whole table.
 *
 * The rule is the one in `domain/jobs/end-of-lease.ts`; a test compares the two.
 */
export function endLeaseSql(locked: string, headers: string): string {
  const pause = (failures: string) =>
    `jitter * least(${retryPause.capMs}, ${retryPause.baseMs} * 2 ^ least(${failures} - 1, 20))`;
  return `
  judged AS MATERIALIZED (
    SELECT *, CASE WHEN verb <> 'expired' THEN verb WHEN is_confirmed THEN 'crashed' ELSE 'undelivered' END AS outcome FROM ${locked}
  ), counted AS MATERIALIZED (
    SELECT *, attempts + (outcome IN ('completed', 'failed', 'crashed'))::integer AS attempts_now,
      crashes + (outcome = 'crashed')::integer AS crashes_now, undelivered + (outcome = 'undelivered')::integer AS undelivered_now
    FROM judged
  ), reasoned AS MATERIALIZED (
    SELECT *, CASE
      WHEN outcome = 'completed' AND NOT cancel_is_final THEN NULL
      WHEN cancel_requested THEN 'requested'
      WHEN is_final THEN 'final'
      WHEN outcome = 'crashed' AND crashes_now >= ${mostCrashes} THEN 'poison'
      WHEN outcome = 'undelivered' AND undelivered_now >= ${mostUndelivered} THEN 'undelivered'
      WHEN outcome IN ('failed', 'crashed') AND attempts_now >= max_attempts THEN 'attempts_exhausted'
    END AS reason
    FROM counted
  ), concluded AS MATERIALIZED (
    SELECT *, CASE
      WHEN outcome = 'completed' AND NOT cancel_is_final THEN 'succeeded'
      WHEN reason = 'requested' THEN 'cancelled'
      WHEN reason IS NOT NULL THEN 'dead'
      WHEN outcome = 'failed' OR (outcome = 'crashed' AND crashes_now > 1) THEN 'scheduled'
      ELSE 'queued'
    END AS next_state, coalesce(CASE WHEN outcome = 'crashed' THEN ${pause('crashes_now - 1')} ELSE retry_after_ms END,
      ${pause('attempts_now')}) AS pause_ms
    FROM reasoned
  ), decided AS MATERIALIZED (
    SELECT *, CASE WHEN next_state = 'scheduled' THEN clock_timestamp() + pause_ms * interval '1 millisecond'
      WHEN next_state = 'queued' AND verb = 'expired' THEN clock_timestamp() END AS next_run_at
    FROM concluded
  ), ended AS (
    UPDATE jobs SET state = decided.next_state, fence = NULL, attempts = attempts_now, crashes = crashes_now, undelivered = undelivered_now,
      run_at = coalesce(next_run_at, run_at),
      rank_at = coalesce(next_run_at - jobs.priority * interval '${priorityStepSeconds} seconds', rank_at),
      result = decided.result::json, error = coalesce(decided.error::json, jobs.error), reason = decided.reason,
      settled_at = CASE WHEN next_state IN ('succeeded', 'dead', 'cancelled') THEN clock_timestamp() END,
      holds_key = holds_key AND (next_state NOT IN ('succeeded', 'dead', 'cancelled') OR unique_until > clock_timestamp()) IS TRUE
    FROM decided WHERE jobs.id = decided.id AND jobs.id = ANY (ARRAY(SELECT id FROM decided))
    RETURNING jobs.id, decided.fence, jobs.queue, jobs.kind, jobs.state, jobs.reason, jobs.run_at, jobs.rank_at, jobs.has_dependents, jobs.settled_at, jobs.task_id,
      jobs.concurrency_key,
      json_build_object('state', jobs.state, 'run_at', ${isoMicros('jobs.run_at')}) AS answer
  ), logged AS (
    INSERT INTO job_attempts (fence, job_id, attempt, outcome, answer, error, client_id, worker, leased_at, ended_at)
    SELECT decided.fence, decided.id, decided.attempts + 1, outcome, answer, error::json, client_id, worker, leased_at, clock_timestamp()
    FROM decided JOIN ended USING (fence)
  ), emitted AS (${jobEventsSql({ changed: 'ended', actor: 'NULL', headers })}
  ), ${followJobsSql({ changed: 'ended', actor: 'NULL::uuid', headers: `${headers}::json` })}`;
}
