import { setTimeout as delay } from 'node:timers/promises';
import { isoMicros, query, type Queryable } from '@taskwire/postgres';
import type { Extension, JobLeases } from '../../app/jobs/ports.ts';
import type { Lease } from '../../domain/jobs/lease-token.ts';
import { leftMs } from './job-json.ts';

/**
 * Extends leases in one UPDATE. It finds each row by id and compares the fence alone. Comparing the state as well makes the planner read the index of
 * leased rows (21 ms instead of 4). Rows are locked first, in the order of ids: otherwise batches of several workers would deadlock. It changes no
 * indexed column, so that the new row needs no index entry while its page has room.
 */
function extendSql(wait: 'SKIP LOCKED' | ''): string {
  return `
  WITH locked AS MATERIALIZED (
    SELECT job.id, given.progress
    FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS given (id, fence, progress) JOIN jobs job ON job.id = given.id
    WHERE job.fence = given.fence AND job.queue = ANY ($4::text[])
    ORDER BY job.id FOR NO KEY UPDATE OF job ${wait}
  )
  UPDATE jobs SET lease_expires_at = clock_timestamp() + lease_ms * interval '1 millisecond', is_confirmed = true, had_grace = false,
    progress = coalesce(locked.progress::json, jobs.progress)
  FROM locked WHERE jobs.id = locked.id
  RETURNING jobs.id, jobs.fence, ${leftMs('jobs')} AS lease_ms, ${isoMicros('jobs.lease_expires_at')} AS lease_expires_at, jobs.cancel_requested`;
}

/** For the leases of several requests: a job that someone has locked must not delay the others. */
export const extendUnlocked = { name: 'jobs.extend_unlocked_leases', text: extendSql('SKIP LOCKED') };

/** For the leases that `extendUnlocked` did not find: they are lost, or locked. */
export const extendLeases = { name: 'jobs.extend_leases', text: extendSql('') };

/**
 * How long heartbeats are collected. A worker counts its lease from the moment when it sent the request, so the wait takes nothing away from it. A
 * statement and its commit cost more CPU time than the rest of a heartbeat; with 100 heartbeats a second, about eleven share one.
 */
const collectMs = 100;

/** Leases in a batch, after which it is sent at once. */
const mostLeases = 1_000;

type Heartbeat = Lease & { progress: string | null };

/** Extended leases by `keyOf`. */
type Extensions = ReadonlyMap<string, Extension>;

/** The leases, by `keyOf`, of clients with the same queues that the next statement extends. */
type Batch = { leases: Map<string, Heartbeat>; end: () => void; extended: Promise<Extensions> };

/** Extends leases, those of several requests together. */
export function extendingLeases(db: Queryable): JobLeases['extend'] {
  const batches = new Map<string, Batch>();

  function collect(key: string, queues: readonly string[]): Batch {
    const ended = Promise.withResolvers<void>();
    const leases = new Map<string, Heartbeat>();
    const extended = Promise.race([delay(collectMs), ended.promise]).then(async () => {
      batches.delete(key);
      return await extend(db, extendUnlocked, [...leases.values()], queues);
    });
    const batch = { leases, end: ended.resolve, extended };
    batches.set(key, batch);
    return batch;
  }

  return async (leases, queues) => {
    const key = JSON.stringify(queues);
    const batch = batches.get(key) ?? collect(key, queues);
    for (const lease of leases) {
      // a repeated heartbeat must not be joined with the same row twice; the latest progress counts
      const progress = lease.progress ?? batch.leases.get(keyOf(lease))?.progress ?? null;
      batch.leases.set(keyOf(lease), { ...lease, progress });
    }
    if (batch.leases.size >= mostLeases) batch.end();
    const together = await batch.extended;
    const others = leases.filter((lease) => !together.has(keyOf(lease)));
    const alone = others.length === 0 ? undefined : await extend(db, extendLeases, others, queues);
    return new Map(
      leases.flatMap((lease) => {
        const extension = together.get(keyOf(lease)) ?? alone?.get(keyOf(lease));
        return extension === undefined ? [] : [[lease.fence, extension]];
      }),
    );
  };
}

function keyOf({ id, fence }: Lease): string {
  return `${id} ${fence}`;
}

type Row = { id: string; fence: string; lease_ms: number; lease_expires_at: string; cancel_requested: boolean };

async function extend(
  db: Queryable,
  statement: typeof extendLeases,
  leases: readonly Heartbeat[],
  queues: readonly string[],
): Promise<Extensions> {
  const values = [
    leases.map(({ id }) => id),
    leases.map(({ fence }) => fence),
    leases.map(({ progress }) => progress),
    queues,
  ];
  const rows = await query<Row>(db, { ...statement, values });
  return new Map(
    rows.map((row) => [
      keyOf(row),
      { leaseMs: row.lease_ms, leaseExpiresAt: row.lease_expires_at, cancelRequested: row.cancel_requested },
    ]),
  );
}
