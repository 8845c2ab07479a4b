import { eventHeaders, hintEvents } from '@taskwire/outbox';
import { query, type Database } from '@taskwire/postgres';
import type { Claim, ClaimedJob } from '../../app/jobs/ports.ts';
import { bytesBesidePayload, largestClaimBytes } from '../../domain/jobs/limits.ts';
import { claimKeyed, type Saturated } from './claim-keyed.ts';
import type { Floors } from './floors.ts';
import { followJobsSql, hasFollowed } from './follow-jobs.ts';
import { claimedJson } from './job-json.ts';
import type { QueuedKeys } from './queued-keys.ts';

/**
 * Whether a queue has jobs with a concurrency key that the process has not read yet. The order keeps PostgreSQL in the index by rank: it would read the
 * table if it expected many such jobs, and join the queues with the jobs of all queues if it expected few. Without OFFSET, it ignores order and limit.
 */
const hasUnread = (queue: string) => `EXISTS (
        SELECT FROM jobs WHERE queue = ${queue}.queue AND state = 'queued' AND concurrency_key IS NOT NULL AND rank_at >= ${queue}.unread_from
        ORDER BY rank_at LIMIT 1 OFFSET 0
      )`;

/**
 * Leases due jobs. Each queue is read by itself from its floor on, in the order of the index: `queue = ANY` would sort the backlog (67 ms instead of 0.4).
 * Jobs that another claim has locked are skipped. The claim is recorded in the same statement, and leases nothing if it is known already; a
 * concurrent duplicate waits here for the first claim, and finds its record.
 *
 * The ids are also passed as an array, which PostgreSQL looks up one by one, as in `endLeaseSql`: that reads fewer pages than a join, even for one job.
 */
export const claimJobs = {
  name: 'jobs.claim',
  text: `
  WITH known AS MATERIALIZED (
    SELECT FROM job_claims WHERE client_id = $1 AND claim_id = $2 AND expires_at > now() AND NOT $8
  ), wanted AS MATERIALIZED (
    SELECT queue, floor, unread_from FROM unnest($3::text[], $4::timestamptz[], $11::timestamptz[]) AS given (queue, floor, unread_from)
    WHERE NOT EXISTS (SELECT FROM known)
  ), found AS MATERIALIZED (
    SELECT job.* FROM wanted CROSS JOIN LATERAL (
      SELECT id, rank_at, payload_bytes FROM jobs
      WHERE queue = wanted.queue AND state = 'queued' AND concurrency_key IS NULL AND rank_at >= wanted.floor
        AND (deadline IS NULL OR deadline > now())
      ORDER BY rank_at, id LIMIT $5 FOR UPDATE SKIP LOCKED
    ) job
  ), ranked AS (
    SELECT id, rank_at, row_number() OVER first_to_last AS place,
      sum(payload_bytes + ${bytesBesidePayload}) OVER first_to_last AS bytes
    FROM found WINDOW first_to_last AS (ORDER BY rank_at, id)
  ), fenced AS MATERIALIZED (
    SELECT id, place, nextval('job_fences') AS fence
    FROM (SELECT id, place FROM ranked WHERE place <= $5 AND bytes <= $9 ORDER BY place) AS chosen
  ), recorded AS (
    INSERT INTO job_claims (client_id, claim_id, job_ids, fences, expires_at)
    SELECT $1, $2, array_agg(id ORDER BY place), array_agg(fence ORDER BY place), now() + $6 * interval '1 millisecond'
    FROM fenced HAVING count(*) > 0
    ON CONFLICT (client_id, claim_id) DO UPDATE
      SET job_ids = CASE WHEN $8 THEN job_claims.job_ids || excluded.job_ids ELSE excluded.job_ids END,
        fences = CASE WHEN $8 THEN job_claims.fences || excluded.fences ELSE excluded.fences END, expires_at = excluded.expires_at
      WHERE $8 OR job_claims.expires_at <= now()
    RETURNING client_id
  ), leased AS (
    UPDATE jobs SET state = 'leased', fence = fenced.fence, lease_ms = $6, leased_at = clock_timestamp(),
      lease_expires_at = clock_timestamp() + $6 * interval '1 millisecond', is_confirmed = false, had_grace = false,
      client_id = $1, worker = $7, progress = NULL
    FROM fenced WHERE jobs.id = fenced.id AND jobs.id = ANY (ARRAY(SELECT id FROM fenced)) AND EXISTS (SELECT FROM recorded)
    RETURNING fenced.place, jobs.payload_bytes + ${bytesBesidePayload} AS bytes, ${claimedJson('jobs')} AS json, jobs.state, jobs.task_id
  ), ${followJobsSql({ changed: 'leased', actor: 'NULL::uuid', headers: '$10::json' })}
  SELECT leased.json, leased.bytes, CASE WHEN (SELECT count(*) FROM fenced) < $5 THEN ARRAY(
      SELECT queue FROM wanted WHERE ${hasUnread('wanted')}
    ) ELSE '{}' END AS unread,
    EXISTS (SELECT FROM known) OR (EXISTS (SELECT FROM fenced) AND NOT EXISTS (SELECT FROM recorded)) AS is_repeated,
    ${hasFollowed}
  FROM (SELECT) AS one LEFT JOIN leased ON true ORDER BY leased.place`,
};

/**
 * The jobs that a known claim still leases. PostgreSQL looks the ids of the array up one by one, as above; it cannot use the index of leases for
 * `coalesce`, and would otherwise read all leases there.
 */
export const readClaim = {
  name: 'jobs.read_claim',
  text: `
  WITH claim AS MATERIALIZED (
    SELECT job_ids, fences FROM job_claims WHERE client_id = $1 AND claim_id = $2 AND expires_at > now()
  )
  SELECT ${claimedJson('job')} AS json
  FROM claim CROSS JOIN LATERAL unnest(claim.job_ids, claim.fences) WITH ORDINALITY AS held (id, fence, place)
    JOIN jobs job ON job.id = held.id AND coalesce(job.fence, 0) = held.fence
  WHERE job.id = ANY (ARRAY(SELECT unnest(job_ids) FROM claim))
  ORDER BY held.place`,
};

/** Counts the jobs without a concurrency key to claim in each queue, up to a limit. */
export const countClaimable = {
  name: 'jobs.count_claimable',
  text: `
  SELECT given.queue, found.count, ${hasUnread('given')} AS has_unread
  FROM unnest($1::text[], $2::timestamptz[], $4::timestamptz[]) AS given (queue, floor, unread_from) CROSS JOIN LATERAL (
    SELECT count(*)::integer AS count FROM (
      SELECT FROM jobs WHERE queue = given.queue AND state = 'queued' AND concurrency_key IS NULL AND rank_at >= given.floor
        AND (deadline IS NULL OR deadline > now())
      ORDER BY rank_at, id LIMIT $3
    ) AS first
  ) found`,
};

type ClaimRow = {
  json: ClaimedJob | null;
  bytes: number | null;
  unread: string[];
  is_repeated: boolean;
  has_followed: boolean;
};
type Part = { jobs: ClaimedJob[]; bytes: number; unread: readonly string[]; isRepeated: boolean };

async function claimUnkeyed(
  db: Database,
  { clientId, claimId, queues, leaseMs, worker }: Claim,
  o: {
    floors: readonly string[];
    unreadFrom: readonly string[];
    room: { jobs: number; bytes: number };
    isContinued: boolean;
  },
): Promise<Part> {
  const given = [clientId, claimId, queues, o.floors, o.room.jobs, leaseMs, worker, o.isContinued, o.room.bytes];
  const rows = await query<ClaimRow>(db.pool, { ...claimJobs, values: [...given, eventHeaders(), o.unreadFrom] });
  if (rows[0]?.has_followed === true) hintEvents(db);
  return {
    jobs: rows.flatMap(({ json }) => (json === null ? [] : [json])),
    bytes: rows.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0),
    unread: rows[0]?.unread ?? [],
    isRepeated: rows[0]?.is_repeated === true,
  };
}

/**
 * A process's knowledge of the queues: their floors, their concurrency keys, and whether all keys were saturated. `now` is a clock in milliseconds, and
 * `random` returns numbers from 0 to 1.
 */
export type ClaimState = {
  floors: Floors;
  keys: QueuedKeys;
  saturated: Saturated;
  now: () => number;
  random: () => number;
};

/** Whether a queue has jobs with a concurrency key, and not all of these keys have just been saturated. */
export function mayHaveKeyed({ keys, saturated, now }: ClaimState, queue: string): boolean {
  return keys.has(queue) && now() >= (saturated.get(queue) ?? -Infinity);
}

/**
 * Leases jobs; a repeated claim gets the jobs that it still holds. Jobs with and without a concurrency key are claimed by two statements. If a queue
 * has both, each kind comes first in half of the claims, so that neither starves, unless all keys have just been saturated.
 */
export async function runClaim(db: Database, claim: Claim, state: ClaimState): Promise<ClaimedJob[]> {
  const { floors, keys, saturated, now, random } = state;
  const { clientId, claimId, queues, limit } = claim;
  const room = { jobs: limit, bytes: largestClaimBytes };
  const known = async () =>
    (await query<{ json: ClaimedJob }>(db.pool, { ...readClaim, values: [clientId, claimId] })).map(({ json }) => json);

  await keys.ready(queues);
  const expected = queues.filter((queue) => mayHaveKeyed(state, queue));
  const o = { keys, saturated, now, room };
  let count = 0;
  if (expected.length > 0 && random() < 0.5) {
    const first = await claimKeyed(db, claim, { ...o, queues: expected, isContinued: false });
    if (first.isRepeated) return await known();
    count = first.count;
    Object.assign(room, { jobs: room.jobs - first.count, bytes: room.bytes - first.bytes });
    if (room.jobs === 0) return await known();
  }
  const from = { floors: floors.of(queues), unreadFrom: keys.unreadFrom(queues) };
  const plain = await claimUnkeyed(db, claim, { ...from, room, isContinued: count > 0 });
  if (plain.isRepeated) return await known();
  Object.assign(room, { jobs: room.jobs - plain.jobs.length, bytes: room.bytes - plain.bytes });
  if (count === 0 && room.jobs > 0) {
    await keys.readNew(plain.unread);
    const left = queues.filter((queue) => keys.has(queue));
    const rest = await claimKeyed(db, claim, { ...o, queues: left, isContinued: plain.jobs.length > 0 });
    if (rest.isRepeated) return await known();
    count = rest.count;
  }
  // the database function returns no jobs, so that a single query defines their form
  return count === 0 ? plain.jobs : await known();
}
