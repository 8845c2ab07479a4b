import { isoMicros } from '@taskwire/postgres';

/** SQL for a job as the API returns it, as compact JSON text. `job` names a row of jobs. */
export function jobJson(job: string): string {
  return `(
    SELECT to_json(shown)::text FROM (
      SELECT ${job}.id, ${job}.queue, ${job}.kind, ${job}.task_id, ${job}.payload, ${job}.state, ${job}.priority,
        ${isoMicros(`${job}.run_at`)} AS run_at, ${isoMicros(`${job}.deadline`)} AS deadline, ${job}.attempts, ${job}.max_attempts,
        ${job}.unique_key, ${job}.progress, ${job}.result, ${job}.error, ${job}.reason, ${job}.cancel_requested,
        ${isoMicros(`${job}.created_at`)} AS created_at, ${isoMicros(`${job}.settled_at`)} AS settled_at
    ) AS shown
  )`;
}

/**
 * SQL for a number that changes with everything in `jobJson` that can change; heartbeats without progress do not change it. It leaves out results and
 * errors, which can be long and change only with the state or the attempts.
 */
export function jobMark(job: string): string {
  return `hash_record_extended(ROW(${job}.state, ${job}.run_at, ${job}.deadline, ${job}.attempts, ${job}.progress::text, ${job}.reason,
    ${job}.cancel_requested, ${job}.settled_at), 0)::text`;
}

/** SQL for a leased job as its worker gets it. */
export function claimedJson(job: string): string {
  return `(
    SELECT to_json(shown)::text FROM (
      SELECT ${job}.id, ${job}.queue, ${job}.kind, ${job}.payload, ${job}.attempts + 1 AS attempt, ${job}.fence,
        ${job}.id || '.' || ${job}.fence AS lease_token, ${leftMs(job)} AS lease_ms,
        ${isoMicros(`${job}.lease_expires_at`)} AS lease_expires_at, ${isoMicros(`${job}.deadline`)} AS deadline
    ) AS shown
  )`;
}

/** SQL for the remaining milliseconds of a lease; 0 for an expired lease that the reaper has not ended yet. */
export function leftMs(job: string): string {
  return `greatest(0, floor(extract(epoch FROM ${job}.lease_expires_at - clock_timestamp()) * 1000))::integer`;
}
