import { isoMicros, query, type Queryable } from '@taskwire/postgres';
import type { Extension, JobLeases } from '../../app/jobs/ports.ts';
import { leftMs } from './job-json.ts';

const extension = `lease_expires_at = clock_timestamp() + lease_ms * interval '1 millisecond', is_confirmed = true, had_grace = false`;
const extended = `jobs.fence, ${leftMs('jobs')} AS lease_ms, ${isoMicros('jobs.lease_expires_at')} AS lease_expires_at, jobs.cancel_requested`;

/**
 * Extends up to 1,000 leases in one UPDATE. It finds each row by id and compares the fence alone. Comparing the state as well makes the planner read the
 * index of leased rows (21 ms instead of 4). Rows are locked first, in the order of ids: otherwise batches of several workers would deadlock. It
 * changes no indexed column, so that the new row needs no index entry while its page has room.
 */
export const extendLeases = {
  name: 'jobs.extend_leases',
  text: `
  WITH locked AS MATERIALIZED (
    SELECT job.id, given.progress
    FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS given (id, fence, progress) JOIN jobs job ON job.id = given.id
    WHERE job.fence = given.fence AND job.queue = ANY ($4::text[])
    ORDER BY job.id FOR NO KEY UPDATE OF job
  )
  UPDATE jobs SET ${extension}, progress = coalesce(locked.progress::json, jobs.progress)
  FROM locked WHERE jobs.id = locked.id
  RETURNING ${extended}`,
};

/**
 * Extends one lease, as most heartbeats do. PostgreSQL keeps its plan; the plan of a batch depends on the number of leases, and so it is planned each
 * time.
 */
export const extendLease = {
  name: 'jobs.extend_lease',
  text: `
  UPDATE jobs SET ${extension}, progress = coalesce($3::json, progress)
  WHERE id = $1 AND fence = $2 AND queue = ANY ($4::text[])
  RETURNING ${extended}`,
};

type Row = { fence: string; lease_ms: number; lease_expires_at: string; cancel_requested: boolean };

export function extendingLeases(db: Queryable): JobLeases['extend'] {
  return async (leases, queues) => {
    const columns = [
      leases.map(({ id }) => id),
      leases.map(({ fence }) => fence),
      leases.map(({ progress }) => progress),
    ];
    const [id, fence, progress] = columns.map(([first]) => first);
    const rows = await query<Row>(
      db,
      leases.length === 1
        ? { ...extendLease, values: [id, fence, progress, queues] }
        : { ...extendLeases, values: [...columns, queues] },
    );
    return new Map(
      rows.map((row): [string, Extension] => [
        row.fence,
        { leaseMs: row.lease_ms, leaseExpiresAt: row.lease_expires_at, cancelRequested: row.cancel_requested },
      ]),
    );
  };
}
