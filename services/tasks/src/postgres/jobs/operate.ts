import { eventHeaders, runWithEvents } from '@taskwire/outbox';
import { isoMicros, query } from '@taskwire/postgres';
import type { JobDocument, JobHints, JobOperating } from '../../app/jobs/ports.ts';
import { priorityStepSeconds } from '../../domain/jobs/limits.ts';
import { jobEventsSql } from './events.ts';
import { followJobsSql, hasFollowed } from './follow-jobs.ts';
import { sendHints, type QueuedRow } from './hints.ts';
import { jobJson } from './job-json.ts';

const isSettled = `state IN ('succeeded', 'dead', 'cancelled')`;

/**
 * Cancels a job that is not leased, and asks the worker of a leased job to cancel it. Returns the job in both cases. All values come from the row
 * that is changed: PostgreSQL checks constraints before it notices that another transaction has changed that row, so a state that was read and locked
 * by an earlier part of the statement could meet an outdated fence, and the check `jobs_leased_has_fence` would fail.
 */
const cancelJob = `
  WITH changed AS (
    UPDATE jobs SET
      state = CASE WHEN fence IS NULL THEN 'cancelled' ELSE 'leased' END,
      cancel_requested = true,
      reason = CASE WHEN fence IS NULL THEN 'requested' ELSE reason END,
      settled_at = CASE WHEN fence IS NULL THEN clock_timestamp() END,
      holds_key = holds_key AND (fence IS NOT NULL OR unique_until > clock_timestamp()) IS TRUE
    WHERE id = $1 AND NOT ${isSettled}
    RETURNING *
  ), audited AS (
    INSERT INTO job_audit (job_id, action, actor) SELECT id, 'cancel', $2 FROM changed
  ), emitted AS (${jobEventsSql({ changed: 'changed', actor: '$3::uuid', headers: '$4' })}
  ), ${followJobsSql({ changed: 'changed', actor: '$3::uuid', headers: '$4::json' })}
  SELECT queue, state, ${isoMicros('rank_at')} AS rank_at, concurrency_key, has_dependents, ${jobJson('changed')} AS json, ${hasFollowed} FROM changed`;

/** The dead jobs of a filter, oldest first, locked. Placeholders $1 to $5: queue, kind, reason, time, id. */
const deadJobs = `
  SELECT id FROM jobs WHERE state = 'dead' AND ($1::text IS NULL OR queue = $1) AND ($2::text IS NULL OR kind = $2)
    AND ($3::text IS NULL OR reason = $3) AND ($4::timestamptz IS NULL OR settled_at <= $4) AND ($5::uuid IS NULL OR id = $5)
  ORDER BY id LIMIT $6 FOR UPDATE`;

const replayJobs = `
  WITH chosen AS MATERIALIZED (${deadJobs}
  ), changed AS (
    UPDATE jobs SET state = 'queued', attempts = 0, crashes = 0, undelivered = 0, cancel_requested = false, reason = NULL, settled_at = NULL,
      run_at = now.at, rank_at = now.at - priority * interval '${priorityStepSeconds} seconds', awaits_predecessor = false,
      deadline = CASE WHEN deadline > now.at THEN deadline END
    FROM chosen, (SELECT clock_timestamp() AS at) AS now WHERE jobs.id = chosen.id
    RETURNING jobs.*
  ), audited AS (
    INSERT INTO job_audit (job_id, action, actor, reason) SELECT id, 'replay', $7, $8 FROM changed
  )
  SELECT id, queue, state, concurrency_key, ${isoMicros('rank_at')} AS rank_at FROM changed`;

const dropJobs = `
  WITH chosen AS MATERIALIZED (${deadJobs}
  ), changed AS (
    UPDATE jobs SET state = 'cancelled', reason = 'dropped', settled_at = clock_timestamp() FROM chosen WHERE jobs.id = chosen.id
    RETURNING jobs.*
  ), audited AS (
    INSERT INTO job_audit (job_id, action, actor, reason) SELECT id, 'drop', $7, $8 FROM changed
  ), emitted AS (${jobEventsSql({ changed: 'changed', actor: '$9::uuid', headers: '$10' })}
  ), ${followJobsSql({ changed: 'changed', actor: '$9::uuid', headers: '$10::json' })}
  SELECT id, ${hasFollowed} FROM changed`;

/** The operations of operators on jobs. */
export function operatingJobs(hints: JobHints): Omit<JobOperating, 'once'> {
  return {
    async cancel(tx, id, { name, userId }) {
      const values = [id, name, userId, eventHeaders()];
      const rows = await runWithEvents<QueuedRow & { json: JobDocument['text'] }>(tx, { text: cancelJob, values });
      tx.afterCommit(() => sendHints(hints, rows));
      return rows[0] === undefined ? undefined : { text: rows[0].json };
    },
    async replay(tx, { queue, kind, reason, until, id, limit }, by) {
      const values = [
        queue ?? null,
        kind ?? null,
        reason ?? null,
        until ?? null,
        id ?? null,
        limit,
        by.name,
        by.reason,
      ];
      const rows = await query<QueuedRow>(tx, replayJobs, values);
      tx.afterCommit(() => sendHints(hints, rows));
      return rows.length;
    },
    async drop(tx, { queue, kind, reason, until, id, limit }, by) {
      const filter = [queue ?? null, kind ?? null, reason ?? null, until ?? null, id ?? null, limit];
      const values = [...filter, by.name, by.reason, by.userId, eventHeaders()];
      return (await runWithEvents(tx, { text: dropJobs, values })).length;
    },
  };
}
