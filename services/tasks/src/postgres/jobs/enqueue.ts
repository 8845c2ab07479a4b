import { fieldProblem, problem } from '@taskwire/errors';
import { isoMicros, query, type Queryable, type Tx } from '@taskwire/postgres';
import type { NewJob, Receipt } from '../../app/jobs/ports.ts';
import { invalidField } from '../../domain/invalid-field.ts';
import { priorityStepSeconds } from '../../domain/jobs/limits.ts';

/**
 * Stores jobs, except those whose unique key another job holds. Ids follow the order of the list. Rows enter the index of unique keys in its order, so that
 * two batches with the same keys wait for each other instead of deadlocking. A run_at in the past means now: a rank in the past would overtake other
 * jobs.
 */
export const enqueueJobs = {
  name: 'jobs.enqueue',
  text: `
  WITH given AS MATERIALIZED (
    SELECT coalesce(given_id, uuidv7()) AS id, clock_timestamp() AS now, listed.*
    FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::smallint[], $6::integer[], $7::timestamptz[], $8::text[],
      $9::float8[], $10::boolean[], $11::text[], $12::text[], $13::uuid[], $14::uuid[]) WITH ORDINALITY
      AS listed (queue, kind, payload, run_at, priority, max_attempts, deadline, unique_key, window_ms, awaits, created_by, concurrency_key, given_id,
        task_id, place)
  ), stored AS (
    INSERT INTO jobs (id, queue, kind, payload, payload_bytes, state, priority, run_at, rank_at, max_attempts, deadline,
      unique_key, unique_until, holds_key, awaits_predecessor, created_by, concurrency_key, task_id)
    SELECT id, queue, kind, payload::json, octet_length(payload), CASE WHEN awaits OR run_at > now THEN 'scheduled' ELSE 'queued' END,
      priority, greatest(run_at, now), greatest(run_at, now) - priority * interval '${priorityStepSeconds} seconds', max_attempts, deadline,
      unique_key, now + window_ms * interval '1 millisecond', unique_key IS NOT NULL, awaits, created_by, concurrency_key, task_id
    FROM given ORDER BY queue, unique_key, place
    ON CONFLICT (queue, unique_key) WHERE holds_key DO NOTHING
    RETURNING id, state, run_at, rank_at
  )
  SELECT given.place::integer - 1 AS place, stored.id, stored.state, ${isoMicros('stored.run_at')} AS run_at,
    ${isoMicros('stored.rank_at')} AS rank_at
  FROM stored JOIN given USING (id) ORDER BY given.place`,
};

/** The jobs that hold these keys. */
export const keyHolders = {
  name: 'jobs.find_key_holders',
  text: `
  SELECT given.place::integer - 1 AS place, job.id, job.kind, job.state, ${isoMicros('job.run_at')} AS run_at
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS given (queue, unique_key, place)
    JOIN jobs job ON job.queue = given.queue AND job.unique_key = given.unique_key AND job.holds_key`,
};

/** Takes keys from jobs whose window has ended. Locks in the order of ids, like every statement that locks several jobs. */
export const endWindows = {
  name: 'jobs.end_windows',
  text: `
  WITH ended AS MATERIALIZED (
    SELECT job.id FROM unnest($1::text[], $2::text[]) AS given (queue, unique_key)
      JOIN jobs job ON job.queue = given.queue AND job.unique_key = given.unique_key AND job.holds_key
    WHERE job.unique_until <= clock_timestamp()
    ORDER BY job.id FOR NO KEY UPDATE OF job
  )
  UPDATE jobs SET holds_key = false FROM ended WHERE jobs.id = ended.id`,
};

/**
 * Locks predecessors in the queues $2, in the order of ids, until the jobs that wait for them are stored. A settlement waits for this lock, and then
 * sees that there are dependents. FOR SHARE is not enough: a settlement that waits for a shared lock continues with the row as it was, and misses the new dependents.
 */
export const lockPredecessors = {
  name: 'jobs.lock_predecessors',
  text: `
  WITH locked AS MATERIALIZED (
    SELECT id, state FROM jobs WHERE id = ANY ($1::uuid[]) AND ($2::text[] IS NULL OR queue = ANY ($2::text[]))
    ORDER BY id FOR NO KEY UPDATE
  ), marked AS (
    UPDATE jobs SET has_dependents = true FROM locked WHERE jobs.id = locked.id AND locked.state <> 'succeeded' AND NOT has_dependents
  )
  SELECT id, state FROM locked`,
};

export const insertDependencies = {
  name: 'jobs.insert_dependencies',
  text: `
  INSERT INTO job_dependencies (job_id, predecessor_id)
  SELECT * FROM unnest($1::uuid[], $2::uuid[]) ON CONFLICT DO NOTHING`,
};

/**
 * Rounds of looking for the holders of unique keys. A key rarely changes hands between two rounds; more rounds mean that a program settles and
 * enqueues a job in a loop.
 */
const mostRounds = 20;

export type StoredJob = { place: number; id: string; state: Receipt['state']; run_at: string; rank_at: string };

/** Whether a single statement can store the jobs, without a transaction. */
export function areSimple(jobs: readonly NewJob[]): boolean {
  return jobs.every(({ unique, after }) => unique === null && after.length === 0);
}

/** Stores jobs without unique keys and predecessors. */
export async function storeSimple(db: Queryable, jobs: readonly NewJob[]): Promise<StoredJob[]> {
  const awaits = jobs.map(() => false);
  return await query<StoredJob>(db, { ...enqueueJobs, values: valuesOf(jobs, awaits) });
}

type Stored = { receipts: Receipt[]; stored: StoredJob[] };

/** Stores jobs in a transaction: waits for predecessors, and repeats until each job is stored or another job holds its key. */
export async function storeAll(tx: Tx, jobs: readonly NewJob[]): Promise<Stored> {
  const open = await openPredecessors(tx, jobs);
  const receipts = new Map<number, Receipt>();
  const stored: StoredJob[] = [];
  if (jobs.some(({ unique }) => unique !== null)) await query(tx, { ...endWindows, values: keysOf(jobs) });
  for (let round = 0; receipts.size < jobs.length; round++) {
    if (round === mostRounds) {
      const headers = { 'Retry-After': '1' };
      throw problem('unavailable', 'A unique key changed hands too often; try again.', { headers });
    }
    const places = jobs.map((_, place) => place).filter((place) => !receipts.has(place));
    const left = places.map((place) => jobs[place] as NewJob);
    const awaits = left.map(({ after }) => after.some((id) => open.has(id)));
    for (const row of await query<StoredJob>(tx, {
      ...enqueueJobs,
      values: valuesOf(left, awaits),
    })) {
      const place = places[row.place] as number;
      stored.push({ ...row, place });
      receipts.set(place, receiptOf(jobs[place] as NewJob, row, { isExisting: false }));
    }
    const others = places.filter((place) => !receipts.has(place));
    if (others.length === 0) break;
    const holders = await query<StoredJob & { kind: string }>(tx, {
      ...keyHolders,
      values: keysOf(others.map((place) => jobs[place] as NewJob)),
    });
    for (const holder of holders) {
      const place = others[holder.place] as number;
      const job = jobs[place] as NewJob;
      if (job.unique?.onConflict === 'reject') {
        const isOfRequest = stored.some(({ id }) => id === holder.id);
        throw jobExists(job, isOfRequest ? 'Another job of this request' : `The job ${holder.id}`);
      }
      receipts.set(place, receiptOf({ ...job, kind: holder.kind }, holder, { isExisting: true }));
    }
  }
  await link(tx, jobs, stored, open);
  return { receipts: jobs.map((_, place) => receipts.get(place) as Receipt), stored };
}

/** The predecessors that have not succeeded, locked. A dead or cancelled predecessor cancels the new job, as it cancels existing ones. */
async function openPredecessors(tx: Tx, jobs: readonly NewJob[]): Promise<ReadonlySet<string>> {
  const ids = [...new Set(jobs.flatMap(({ after }) => after))];
  if (ids.length === 0) return new Set();
  // all jobs of a request have the same sender
  const values = [ids, jobs[0]?.senderQueues ?? null];
  const found = await query<{ id: string; state: string }>(tx, { ...lockPredecessors, values });
  const known = new Set(found.map(({ id }) => id));
  for (const { after, path = '' } of jobs) {
    const unknown = after.findIndex((id) => !known.has(id));
    if (unknown !== -1) throw unknownPredecessor(`${path}after.${unknown}`);
  }
  return new Set(found.filter(({ state }) => state !== 'succeeded').map(({ id }) => id));
}

async function link(tx: Tx, jobs: readonly NewJob[], stored: readonly StoredJob[], open: ReadonlySet<string>) {
  const pairs = stored.flatMap(({ id, place }) =>
    (jobs[place]?.after ?? []).filter((predecessor) => open.has(predecessor)).map((predecessor) => [id, predecessor]),
  );
  if (pairs.length === 0) return;
  await query(tx, {
    ...insertDependencies,
    values: [pairs.map(([id]) => id), pairs.map(([, predecessor]) => predecessor)],
  });
}

function valuesOf(jobs: readonly NewJob[], awaits: readonly boolean[]): unknown[] {
  return [
    jobs.map(({ queue }) => queue),
    jobs.map(({ kind }) => kind),
    jobs.map(({ payload }) => payload),
    jobs.map(({ runAt }) => runAt),
    jobs.map(({ priority }) => priority),
    jobs.map(({ maxAttempts }) => maxAttempts),
    jobs.map(({ deadline }) => deadline),
    jobs.map(({ unique }) => unique?.key ?? null),
    jobs.map(({ unique }) => unique?.windowMs ?? null),
    awaits,
    jobs.map(({ createdBy }) => createdBy),
    jobs.map(({ concurrencyKey }) => concurrencyKey),
    jobs.map(({ id = null }) => id),
    jobs.map(({ taskId = null }) => taskId),
  ];
}

function keysOf(jobs: readonly NewJob[]): unknown[] {
  const keyed = jobs.map(({ queue, unique }) => ({ queue, key: unique?.key ?? null }));
  return [keyed.map(({ queue }) => queue), keyed.map(({ key }) => key)];
}

/** The receipt of a job. */
export function receiptOf(
  { queue, kind }: Pick<NewJob, 'queue' | 'kind'>,
  { id, state, run_at }: Pick<StoredJob, 'id' | 'state' | 'run_at'>,
  { isExisting }: { isExisting: boolean },
): Receipt {
  return { id, queue, kind, state, run_at, is_existing: isExisting };
}

/** `holder` names the job that holds the key. A job of the same request is not stored, so its id would lead nowhere. */
function jobExists({ queue, unique, path = '' }: NewJob, holder: string) {
  return fieldProblem('job_exists', {
    field: `${path}unique.key`,
    message: 'is the key of another job',
    detail: `${holder} has the unique key ${JSON.stringify(unique?.key)} of the queue ${queue}.`,
  });
}

function unknownPredecessor(field: string) {
  return invalidField(field, 'unknown_job', 'must be the id of a job');
}
