import { eventHeaders, hintEvents } from '@taskwire/outbox';
import { isoMicros, isSqlState, query, sqlState, type Database } from '@taskwire/postgres';
import type { Claim } from '../../app/jobs/ports.ts';
import { bytesBesidePayload, largestClaimBytes } from '../../domain/jobs/limits.ts';
import { followJobsSql, hasFollowed } from './follow-jobs.ts';
import type { FoundKey, KeyedClaim, QueuedKeys } from './queued-keys.ts';

/**
 * Leases jobs with a concurrency key from one queue, and records them with the claim: a known claim leases nothing, unless this call continues it.
 * The function `lease_jobs_of_keys` (migration 0051) enforces the limits of the keys $5.
 *
 * A concurrent duplicate leases other jobs, waits for the first claim to be recorded, and then fails, so that its leases are rolled back: a null
 * violates `expires_at`. It can't leave them out as `claimJobs` does, because the function has made them before.
 */
export const claimKeyedJobs = {
  name: 'jobs.claim_keyed',
  text: `
  WITH known AS MATERIALIZED (
    SELECT FROM job_claims WHERE client_id = $1 AND claim_id = $2 AND expires_at > now() AND NOT $3
  ), leased AS MATERIALIZED (
    SELECT job.* FROM (SELECT WHERE NOT EXISTS (SELECT FROM known)) AS fresh
      CROSS JOIN LATERAL lease_jobs_of_keys($4, $5, $6, $7, ${bytesBesidePayload}, $1, $8, $9) WITH ORDINALITY AS job
  ), with_task AS MATERIALIZED (
    SELECT job_task AS task_id, 'leased' AS state FROM leased WHERE job_task IS NOT NULL
  ), ${followJobsSql({ changed: 'with_task', actor: 'NULL::uuid', headers: '$10::json' })}, recorded AS (
    INSERT INTO job_claims (client_id, claim_id, job_ids, fences, expires_at)
    SELECT $1, $2, array_agg(job_id ORDER BY ordinality), array_agg(job_fence ORDER BY ordinality), now() + $9 * interval '1 millisecond'
    FROM leased WHERE job_id IS NOT NULL HAVING count(*) > 0
    ON CONFLICT (client_id, claim_id) DO UPDATE SET
      job_ids = CASE WHEN $3 THEN job_claims.job_ids || excluded.job_ids ELSE excluded.job_ids END,
      fences = CASE WHEN $3 THEN job_claims.fences || excluded.fences ELSE excluded.fences END,
      expires_at = CASE WHEN $3 OR job_claims.expires_at <= now() THEN excluded.expires_at END
  )
  SELECT EXISTS (SELECT FROM known) AS is_repeated, ${hasFollowed}, leased.job_id AS id, leased.job_key AS key,
    leased.job_bytes AS bytes, CASE WHEN leased.next_floor = '-infinity' THEN '-infinity' ELSE ${isoMicros('leased.next_floor')} END AS floor,
    leased.next_fences AS fences, leased.next_counted AS counted
  FROM (SELECT) AS one LEFT JOIN leased ON true`,
};

type KeyedRow = {
  is_repeated: boolean;
  has_followed: boolean;
  id: string | null;
  key: string | null;
  bytes: number | null;
  floor: string | null;
  fences: string[];
  counted: string;
};
type KeyedPart = { count: number; bytes: number; isRepeated: boolean };

/** When jobs with a concurrency key come first again in each queue whose keys were all saturated, in milliseconds on the clock of `ClaimState`. */
export type Saturated = Map<string, number>;

/**
 * The time, in milliseconds, for which jobs without a key come first after all keys of a queue were saturated, unless this process ends a job with a key:
 * looking at the keys first makes a claim of one job read half as many pages again. A claim with room left always looks at them, so a free place waits
 * only in a queue whose other jobs fill every claim.
 */
const saturatedMs = 100;

/** Claims from each queue in turn, until the claim is full. `isContinued`: the claim has already leased something. */
export async function claimKeyed(
  db: Database,
  { clientId, claimId, leaseMs, worker }: Claim,
  o: {
    queues: readonly string[];
    keys: QueuedKeys;
    saturated: Saturated;
    now: () => number;
    room: { jobs: number; bytes: number };
    isContinued: boolean;
  },
): Promise<KeyedPart> {
  const part = { count: 0, bytes: 0, isRepeated: false };
  for (const queue of o.queues) {
    const jobs = o.room.jobs - part.count;
    const bytes = Math.min(o.room.bytes, largestClaimBytes) - part.bytes;
    if (jobs <= 0 || bytes <= 0) return part;
    const isContinued = o.isContinued || part.count > 0;
    const turn = o.keys.begin(queue);
    const given = [clientId, claimId, isContinued, queue, JSON.stringify(turn.keys), jobs, bytes, worker, leaseMs];
    const rows = await queryUnlessRepeated(db, [...given, eventHeaders()], turn);
    if (rows === undefined) return { ...part, isRepeated: true };
    if (rows[0]?.has_followed === true) hintEvents(db);
    if (rows[0]?.is_repeated === true) return { ...part, isRepeated: true };
    const leased = rows.filter(({ id }) => id !== null);
    part.count += leased.length;
    part.bytes += leased.reduce((sum, row) => sum + (row.bytes ?? 0), 0);
    if (leased.length === 0 && turn.areAll) o.saturated.set(queue, o.now() + saturatedMs);
    else o.saturated.delete(queue);
  }
  return part;
}

/** The rows about keys, which name no job. */
function foundKeys(rows: readonly KeyedRow[]): FoundKey[] {
  const leased = Map.groupBy(rows, ({ id, key }) => (id === null ? null : key));
  return rows.flatMap(({ id, key, floor, fences, counted }) =>
    id === null && key !== null ? [{ key, floor, fences, counted, leased: leased.get(key)?.length ?? 0 }] : [],
  );
}

/** The rows of the statement, or `undefined` if the same claim was recorded while it ran. */
async function queryUnlessRepeated(db: Database, values: unknown[], turn: KeyedClaim): Promise<KeyedRow[] | undefined> {
  try {
    const rows = await query<KeyedRow>(db.pool, { ...claimKeyedJobs, values });
    turn.learn(foundKeys(rows));
    return rows;
  } catch (error) {
    if (isSqlState(error, sqlState.notNullViolation)) return undefined;
    throw error;
  } finally {
    turn.end();
  }
}
