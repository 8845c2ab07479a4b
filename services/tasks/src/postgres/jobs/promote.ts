import { eventHeaders, runWithEvents } from '@taskwire/outbox';
import { isoMicros, query, type Database } from '@taskwire/postgres';
import type { JobHints, JobUpkeep } from '../../app/jobs/ports.ts';
import { jobEventsSql } from './events.ts';
import { followJobsSql, hasFollowed } from './follow-jobs.ts';
import { sendHints, type QueuedRow } from './hints.ts';

/**
 * Queues scheduled jobs that are due. 1,000 rows take PostgreSQL about 30 ms. It looks the ids of an array up one by one; for a join with 1,000 rows,
 * it would read the whole table each second.
 */
export const promoteJobs = {
  name: 'jobs.promote',
  text: `
  WITH due AS MATERIALIZED (
    SELECT id FROM jobs WHERE state = 'scheduled' AND NOT awaits_predecessor AND run_at <= now()
    ORDER BY run_at LIMIT 1000 FOR UPDATE SKIP LOCKED
  )
  UPDATE jobs SET state = 'queued' WHERE id = ANY (ARRAY(SELECT id FROM due))
  RETURNING jobs.queue, jobs.state, jobs.concurrency_key, ${isoMicros('jobs.rank_at')} AS rank_at`,
};

export const nextRun = {
  name: 'jobs.find_next_run',
  text: `
  SELECT greatest(0, extract(epoch FROM run_at - clock_timestamp()) * 1000)::float8 AS in_ms FROM jobs
  WHERE state = 'scheduled' AND NOT awaits_predecessor ORDER BY run_at LIMIT 1`,
};

/** Ends jobs that were not started before their deadline. */
export const endOverdue = {
  name: 'jobs.end_overdue',
  text: `
  WITH late AS MATERIALIZED (
    SELECT id FROM jobs WHERE deadline <= now() AND deadline IS NOT NULL AND state IN ('scheduled', 'queued')
    ORDER BY deadline LIMIT 1000 FOR UPDATE SKIP LOCKED
  ), ${settledSql({ from: 'late', state: 'dead', reason: 'deadline', headers: '$1' })}`,
};

/** Ends jobs without a lease. `from` names a part with the ids of jobs that this statement has locked; `headers` is a parameter. */
function settledSql(o: { from: string; state: 'dead' | 'cancelled'; reason: string; headers: string }): string {
  return `settled AS (
    UPDATE jobs SET state = '${o.state}', reason = '${o.reason}', settled_at = clock_timestamp(),
      holds_key = holds_key AND (unique_until > clock_timestamp()) IS TRUE
    WHERE id = ANY (ARRAY(SELECT id FROM ${o.from}))
    RETURNING jobs.id, jobs.queue, jobs.kind, jobs.state, jobs.reason, jobs.rank_at, jobs.concurrency_key, jobs.has_dependents,
      jobs.settled_at, jobs.task_id
  ), emitted AS (${jobEventsSql({ changed: 'settled', actor: 'NULL', headers: o.headers })}
  ), ${followJobsSql({ changed: 'settled', actor: 'NULL::uuid', headers: `${o.headers}::json` })}
  SELECT id, queue, state, ${isoMicros('rank_at')} AS rank_at, concurrency_key, has_dependents, ${hasFollowed} FROM settled`;
}

const lockSettled = `
  SELECT id, state FROM jobs WHERE has_dependents AND settled_at IS NOT NULL ORDER BY id LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED`;

/**
 * The key of the resolvers' lock: the bytes of "job deps". Without the lock, two processes that each resolve one of a job's two predecessors would
 * both find the other one unresolved.
 */
const resolverLock = '7669453655912313971';
const tryLock = 'SELECT pg_try_advisory_xact_lock($1) AS locked';

const deleteResolved = 'DELETE FROM job_dependencies WHERE predecessor_id = ANY ($1::uuid[]) RETURNING job_id';

/** A separate statement, so that its snapshot includes the deletion. */
const freeDependents = `
  UPDATE jobs SET awaits_predecessor = false
  WHERE id = ANY ($1::uuid[]) AND awaits_predecessor AND state = 'scheduled'
    AND NOT EXISTS (SELECT FROM job_dependencies WHERE job_id = jobs.id)`;

const cancelDependents = `
  WITH dependent AS MATERIALIZED (
    SELECT id FROM jobs WHERE id = ANY ($1::uuid[]) AND awaits_predecessor AND state = 'scheduled' ORDER BY id FOR UPDATE
  ), ${settledSql({ from: 'dependent', state: 'cancelled', reason: 'predecessor', headers: '$2' })}`;

const deleteOfCancelled = 'DELETE FROM job_dependencies WHERE job_id = ANY ($1::uuid[])';

const noteResolved = 'UPDATE jobs SET has_dependents = false WHERE id = ANY ($1::uuid[])';

/** The background work besides the reaper. */
export function promoting(db: Database, hints: JobHints): Omit<JobUpkeep, 'reap'> {
  return {
    async promote() {
      const rows = await query<QueuedRow>(db.pool, promoteJobs);
      sendHints(hints, rows);
      const [next] = await query<{ in_ms: number }>(db.pool, nextRun);
      return { promoted: rows.length, nextRunInMs: next?.in_ms ?? null };
    },
    async endOverdue() {
      const rows = await runWithEvents<QueuedRow>(db, { ...endOverdue, values: [eventHeaders()] });
      sendHints(hints, rows);
      return rows.length;
    },
    resolveDependents: async () =>
      await db.transaction(async (tx) => {
        const [lock] = await query<{ locked: boolean }>(tx, tryLock, [resolverLock]);
        if (lock?.locked !== true) return 0;
        const settled = await query<{ id: string; state: string }>(tx, lockSettled);
        if (settled.length === 0) return 0;
        const idsOf = (isGood: boolean) =>
          settled.filter(({ state }) => (state === 'succeeded') === isGood).map(({ id }) => id);
        const dependentsOf = async (ids: string[]) =>
          (await query<{ job_id: string }>(tx, deleteResolved, [ids])).map(({ job_id: id }) => id);
        const failed = await dependentsOf(idsOf(false));
        const cancelled = await runWithEvents<QueuedRow & { id: string }>(tx, {
          text: cancelDependents,
          values: [failed, eventHeaders()],
        });
        await query(tx, deleteOfCancelled, [cancelled.map(({ id }) => id)]);
        await query(tx, freeDependents, [await dependentsOf(idsOf(true))]);
        await query(tx, noteResolved, [settled.map(({ id }) => id)]);
        return settled.length;
      }),
  };
}
