import { eventHeaders, runWithEvents } from '@taskwire/outbox';
import { isoMicros, query, type Database, type Tx } from '@taskwire/postgres';
import type { JobHints, JobUpkeep } from '../../app/jobs/ports.ts';
import { reaperRound } from '../../domain/jobs/outage.ts';
import { endLeaseSql, leaseColumns } from './end-lease-sql.ts';
import { hasFollowed } from './follow-jobs.ts';
import { sendHints, type QueuedRow } from './hints.ts';

/** Leases that one statement ends: about 30 ms of work. */
const batch = 1_000;

/**
 * Locks the reaper's row; returns no row while another process has locked it. $2 and $3 are the jobs and fences of leases below the fence $1;
 * `old_fences` are those that still exist.
 */
export const lockReaper = {
  name: 'jobs.lock_reaper',
  text: `
  SELECT extract(epoch FROM clock_timestamp() - reaper.ticked_at)::float8 * 1000 AS since_tick_ms,
    extract(epoch FROM clock_timestamp() - contact.heard_at)::float8 * 1000 AS since_heard_ms, reaper.is_outage,
    (SELECT fence FROM jobs WHERE fence >= $1 ORDER BY fence LIMIT 1) AS lowest_fence,
    ARRAY(
      SELECT job.fence FROM unnest($2::uuid[], $3::bigint[]) AS old (id, fence) JOIN jobs job ON job.id = old.id
      WHERE job.id = ANY ($2::uuid[]) AND coalesce(job.fence, 0) = old.fence
    ) AS old_fences,
    (SELECT last_value - (NOT is_called)::integer FROM job_fences) AS last_fence
  FROM job_reaper reaper, job_contact contact FOR UPDATE OF reaper SKIP LOCKED`,
};

/** The leases from a fence to another one. */
export const listLeases = {
  name: 'jobs.list_leases',
  text: 'SELECT id, fence FROM jobs WHERE fence BETWEEN $1 AND $2 ORDER BY fence LIMIT $3',
};

/**
 * The condition that a job found by its id is leased. PostgreSQL cannot conclude from it that the job is in the index of leases, whose dead entries it
 * would otherwise read instead of the primary key when statistics say that there are few leases. Fences are above 0.
 */
const isLeased = (job: string) => `coalesce(${job}.fence, 0) > 0`;

/** The ids of the leases from the fence $1 on that meet a condition, and of those among the jobs `old`. */
const leasesSql = (old: string, condition: string) => `ARRAY(
      SELECT id FROM jobs WHERE fence >= $1 AND ${condition}
      UNION ALL
      SELECT id FROM jobs WHERE id = ANY (${old}::uuid[]) AND ${isLeased('jobs')} AND ${condition}
    )`;

const isExpired = "lease_expires_at + $2 * lease_ms * interval '1 millisecond' <= clock_timestamp()";

/**
 * Ends leases that have been expired for $2 of their periods. Skips a locked lease, which is being extended or settled. $1 is the lowest fence that a
 * lease may have, except for those of the jobs $4.
 */
export const expireLeases = {
  name: 'jobs.expire_leases',
  text: `
  WITH expired AS MATERIALIZED (
    SELECT ${leaseColumns}, 'expired' AS verb, false AS is_final, NULL::float8 AS retry_after_ms, random() AS jitter, NULL::text AS result,
      CASE WHEN job.is_confirmed THEN '{"code":"lease_expired","message":"The worker did not extend its lease in time."}' END AS error
    FROM jobs job
    WHERE job.id = ANY (${leasesSql('$4', isExpired)}) AND ${isLeased('job')} AND ${isExpired}
    ORDER BY job.id LIMIT ${batch} FOR UPDATE OF job SKIP LOCKED
  ), ${endLeaseSql('expired', '$3')}
  SELECT queue, state, ${isoMicros('rank_at')} AS rank_at, has_dependents, concurrency_key, ${hasFollowed} FROM ended`,
};

/** Gives each lease one period from now, once. $1 and $2 are the lowest fence and other jobs, as in `expireLeases`. */
export const graceLeases = {
  name: 'jobs.grace_leases',
  text: `
  WITH held AS MATERIALIZED (
    SELECT id FROM jobs WHERE id = ANY (${leasesSql('$2', 'NOT had_grace')}) AND ${isLeased('jobs')} AND NOT had_grace
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
  )
  UPDATE jobs SET lease_expires_at = clock_timestamp() + lease_ms * interval '1 millisecond', had_grace = true
  WHERE id = ANY (ARRAY(SELECT id FROM held))`,
};

export const noteTick = {
  name: 'jobs.note_tick',
  text: 'UPDATE job_reaper SET ticked_at = clock_timestamp(), is_outage = $1',
};

type Lease = { id: string; fence: string };

type State = {
  since_tick_ms: number;
  since_heard_ms: number;
  is_outage: boolean;
  lowest_fence: string | null;
  old_fences: string[];
  last_fence: string;
};

/**
 * The lowest fence that a lease may have. A claim takes its fence before its lease is visible, for at most the statement timeout of 5 s, so a fence counts
 * as passed once it was given out 10 s ago and no lease is below it.
 */
const fencePassedMs = 10_000;

/**
 * The other rounds start at the lowest lease of the round before, so that they pass over the dead entries of a second instead of ten. They may miss a
 * lease that was not visible yet, which a round from the floor finds in time: a lease lasts for 15 s or longer.
 */
const fromFloorEveryMs = 5_000;

/**
 * The number of leases that may be older than the floor, each of which costs a round about eight buffers: their jobs are looked up. Otherwise, one job
 * that runs for an hour would make each round pass over the entries of all jobs of this hour while a snapshot is held. With more old leases, the floor
 * stays below them.
 */
const mostOld = 250;

/** The rounds of the reaper. */
export function reaping(db: Database, hints: JobHints, now: () => number = () => performance.now()): JobUpkeep['reap'] {
  let floor = 0;
  /** The jobs that have leases below the floor, by their fences. */
  let old = new Map<string, string>();
  let nextStart = 0;
  let fromFloorAt = -Infinity;
  let seen: { fence: number; at: number }[] = [];

  /** Determines the floor after a round from the floor, given the lowest lease above it. `added` are the leases that are then below it. */
  async function risenFloor(
    tx: Tx,
    lowest: string | null,
  ): Promise<{ floor: number; added: Lease[]; passedAt: number }> {
    const passed = seen.findLast(({ at }) => now() - at >= fencePassedMs);
    if (passed === undefined) return { floor, added: [], passedAt: -Infinity };
    const risen = { floor: Math.max(floor, passed.fence + 1), added: [], passedAt: passed.at };
    if (lowest === null || Number(lowest) > passed.fence) return risen;
    const room = mostOld - old.size;
    const added = await query<Lease>(tx, { ...listLeases, values: [floor, passed.fence, room + 1] });
    return added.length <= room ? { ...risen, added } : { ...risen, floor: Math.max(floor, Number(lowest)) };
  }

  return async () =>
    await db.transaction(async (tx) => {
      const isFromFloor = now() - fromFloorAt >= fromFloorEveryMs;
      const start = isFromFloor ? floor : Math.max(floor, nextStart);
      const [state] = await query<State>(tx, { ...lockReaper, values: [start, [...old.values()], [...old.keys()]] });
      if (state === undefined) return undefined;
      const at = now();
      const left = new Map(state.old_fences.map((fence) => [fence, old.get(fence) ?? '']));
      const oldIds = [...left.values()];
      // without leases there is no worker to wait for
      const sinceHeardMs = state.lowest_fence === null && left.size === 0 ? 0 : state.since_heard_ms;
      const { kind } = reaperRound({ sinceTickMs: state.since_tick_ms, sinceHeardMs, isOutage: state.is_outage });
      if (kind === 'extend') await query(tx, { ...graceLeases, values: [floor, oldIds] });
      // no lease was below this fence a moment ago, so the dead entries below it are not passed over again
      const lowest = state.lowest_fence === null ? Number(state.last_fence) + 1 : Number(state.lowest_fence);
      const values = [lowest, kind === 'hold' ? 1 : 0, eventHeaders(), oldIds];
      const rows = await runWithEvents<QueuedRow>(tx, { ...expireLeases, values });
      await query(tx, { ...noteTick, values: [kind === 'hold'] });
      const risen = isFromFloor ? await risenFloor(tx, state.lowest_fence) : undefined;
      tx.afterCommit(() => {
        seen.push({ fence: Number(state.last_fence), at });
        nextStart = lowest;
        old = left;
        if (risen !== undefined) {
          fromFloorAt = at;
          floor = risen.floor;
          for (const { fence, id } of risen.added) old.set(fence, id);
          seen = seen.filter((one) => one.at > risen.passedAt);
        }
        sendHints(hints, rows);
        for (const { queue, state: next } of rows) hints.expired(queue, next);
      });
      return { expired: rows.length, isComplete: rows.length < batch };
    });
}
