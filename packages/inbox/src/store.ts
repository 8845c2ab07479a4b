import { query, type Database, type Queryable, type Tx } from '@taskwire/postgres';
import type { Message } from './message.ts';

/** A message for one handler. */
export type Job = { message: Message; handler: string; orderKey: string | undefined };

export type Admission = {
  /** The message was taken over before: it is done or recorded. */
  seen: boolean;
  /** An earlier message with the same key is not completed. */
  blocked: boolean;
};

/** Serializes the transactions that complete or record messages of the same handler and key. */
const lockKey = { name: 'inbox lock key', text: 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0))' };

// OFFSET 0, here and below, makes PostgreSQL probe the index for each message. Without it, PostgreSQL may read the whole table into memory for a
// batch. It keeps such a plan, made while the table was small, until the statistics are refreshed.
const isBlocked = `
  job.order_key IS NOT NULL AND EXISTS (
    SELECT FROM inbox_retries r WHERE r.handler = job.handler AND r.order_key = job.order_key OFFSET 0)`;

const jobs = 'unnest($1::uuid[], $2::text[], $3::text[]) AS job (message_id, handler, order_key)';

const admit = `
  SELECT EXISTS (SELECT FROM inbox i WHERE i.message_id = job.message_id AND i.handler = job.handler OFFSET 0) AS seen,
    ${isBlocked} AS blocked
  FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS job (message_id, handler, order_key, place)
  ORDER BY job.place`;

const take = `
  INSERT INTO inbox (message_id, handler)
  SELECT job.message_id, job.handler FROM ${jobs} WHERE NOT (${isBlocked})
  ON CONFLICT DO NOTHING
  RETURNING message_id, handler`;

const takeForRecord = `
  INSERT INTO inbox (message_id, handler) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true AS taken`;

const messageColumns = 'type, aggregate_id, correlation_id, app_id, sent_at, headers, payload';
const messageValues = '$4::text, $5::text, $6::text, $7::text, to_timestamp($8::float8), $9::json, $10::bytea';

const recordUnsettled = `
  INSERT INTO inbox_retries (
    message_id, handler, order_key, ${messageColumns}, state, attempts, next_attempt_at, last_error, errors, uncounted)
  SELECT job.message_id, job.handler, job.order_key, ${messageValues},
    CASE WHEN blocked THEN 'waiting' ELSE 'retry' END, $11::integer,
    CASE WHEN blocked THEN NULL ELSE now() + $12::float8 * interval '1 millisecond' END, $13::text, $14::jsonb, $15::integer
  FROM (VALUES ($1::uuid, $2::text, $3::text)) AS job (message_id, handler, order_key)
  CROSS JOIN LATERAL (SELECT ${isBlocked} AS blocked) AS earlier`;

const recordBlocking = `
  INSERT INTO inbox_retries (message_id, handler, order_key, ${messageColumns}, state, attempts, last_error, errors)
  VALUES ($1::uuid, $2::text, $3::text, ${messageValues}, 'dead', $11::integer, $12::text, $13::jsonb)
  RETURNING seq`;

// a dead letter that blocks nothing still has a position within its key, for a replay
const insertDeadLetter = `
  INSERT INTO dead_letters (message_id, handler, order_key, ${messageColumns}, attempts, error, errors, reason, seq, received_at)
  VALUES ($1::text, $2::text, $3::text, ${messageValues}, $11::integer, $12::text, $13::jsonb, $14::text,
    CASE WHEN $2::text IS NOT NULL THEN coalesce($15::bigint, nextval(pg_get_serial_sequence('inbox_retries', 'seq'))) END, now())`;

export async function admitJobs(db: Queryable, batch: readonly Job[]): Promise<Admission[]> {
  return await query<Admission>(db, { name: 'inbox admit', text: admit, values: jobArrays(batch) });
}

/** Takes over the jobs that are new and not blocked, in the caller's transaction. Returns their positions in the batch. */
export async function takeJobs(tx: Tx, batch: readonly Job[]): Promise<Set<number>> {
  const taken = await query<{ message_id: string; handler: string }>(tx, {
    name: 'inbox take',
    text: take,
    values: jobArrays(batch),
  });
  const left = new Set(taken.map((row) => `${row.message_id} ${row.handler}`));
  // a message that occurs twice in one batch is taken once
  return new Set([...batch.keys()].filter((place) => left.delete(jobId(batch[place]))));
}

export type Failure = { attempts: number; error: string };

/** The state of a message that awaits an attempt. `uncounted`: attempts that did not count. `errors`: JSON. */
export type Unsettled = {
  attempts: number;
  uncounted: number;
  waitMs: number;
  lastError: string | undefined;
  errors: string;
};

/** The state of a message that was never attempted. */
export const untried: Unsettled = { attempts: 0, uncounted: 0, waitMs: 0, lastError: undefined, errors: '[]' };

/** Records a message for a later attempt, in the caller's transaction. @returns false if the message was taken over before. */
export async function recordRetry(tx: Tx, job: Job, unsettled: Unsettled): Promise<boolean> {
  if (!(await takeAlone(tx, job))) return false;
  const { attempts, uncounted, waitMs, lastError, errors } = unsettled;
  const values = [...jobValues(job), attempts, waitMs, lastError, errors, uncounted];
  await query(tx, { name: 'inbox record', text: recordUnsettled, values });
  return true;
}

export type Death = Failure & { reason: string; holdsBack: boolean };

/** Records a message that failed permanently. @returns false if the message was taken over before. */
export async function recordDead(
  db: Database,
  job: Omit<Job, 'handler'> & { handler: string | undefined },
  { attempts, error, reason, holdsBack }: Death,
): Promise<boolean> {
  return await db.transaction(async (tx) => {
    const { handler } = job;
    const errors = errorHistory(attempts, error);
    let seq: string | undefined;
    if (handler !== undefined) {
      const named: Job = { ...job, handler };
      if (!(await takeAlone(tx, named))) return false;
      if (holdsBack) {
        const values = [...jobValues(named), attempts, error, errors];
        const [row] = await query<{ seq: string }>(tx, { text: recordBlocking, values });
        seq = row?.seq;
      }
    }
    await query(tx, { text: insertDeadLetter, values: [...jobValues(job), attempts, error, errors, reason, seq] });
    return true;
  });
}

/** Takes the lock in its own statement, so that the next statement's snapshot includes what the previous holder committed. */
async function takeAlone(tx: Tx, job: Job): Promise<boolean> {
  if (job.orderKey !== undefined) await lockOrder(tx, job.handler, job.orderKey);
  const rows = await query(tx, {
    name: 'inbox take for record',
    text: takeForRecord,
    values: [job.message.id, job.handler],
  });
  return rows.length > 0;
}

export async function lockOrder(tx: Tx, handler: string, key: string): Promise<void> {
  await query(tx, { ...lockKey, values: [`inbox ${handler} ${key}`] });
}

/** Returns an error history with one entry, as JSON. */
export function errorHistory(attempt: number, error: string): string {
  return JSON.stringify([{ at: new Date().toISOString(), attempt, error }]);
}

function jobId(job: Job | undefined): string {
  return `${job?.message.id} ${job?.handler}`;
}

function jobArrays(batch: readonly Job[]): unknown[] {
  return [
    batch.map(({ message }) => message.id),
    batch.map(({ handler }) => handler),
    batch.map(({ orderKey }) => orderKey ?? null),
  ];
}

function jobValues({ message, handler, orderKey }: Omit<Job, 'handler'> & { handler: string | undefined }): unknown[] {
  const { id, type, aggregateId, correlationId, appId, sentAt, headers, payload } = message;
  return [id, handler, orderKey, type, aggregateId, correlationId, appId, sentAt, headers, payload];
}
