import { parentOf } from '@taskwire/contracts';
import { query, type Database, type Queryable, type Tx } from '@taskwire/postgres';
import { errorHistory, type DeadLetterWriter, type Failure } from './dead-letter.ts';
import type { RetryDecision } from './decide.ts';
import type { Job, UnhandledJob } from './job.ts';
import { lockOrder } from './key-order.ts';
import { jobColumns, jobValues } from './stored-message.ts';

export type DedupeLookup = {
  /** The message is done or recorded. */
  isKnown: boolean;
  /** An earlier message with the same key is not completed. */
  isBlocked: boolean;
};

// OFFSET 0, here and below, makes PostgreSQL probe the index for each message. Without it, PostgreSQL may read the whole table into memory for a
// batch. Such a plan, made while the table was small, is kept until the statistics are refreshed.
const isBlocked = `
  job.order_key IS NOT NULL AND EXISTS (
    SELECT FROM inbox_pending p WHERE p.handler = job.handler AND p.order_key = job.order_key OFFSET 0)`;

// The age of a message is counted by the process until the statement is sent, so that the clocks of the process and of the database may differ.
const remember = (condition: string): string => `
  INSERT INTO inbox (message_id, handler, type, aggregate_id, correlation_id, created_at, published_at, consumed_at, parent_id)
  SELECT job.message_id, job.handler, job.type, job.aggregate_id, job.correlation_id, job.created_at, job.published_at,
    clock_timestamp() - job.age_ms * interval '1 millisecond', job.parent_id
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[], $9::float8[], $10::text[])
    AS job (message_id, handler, order_key, type, aggregate_id, correlation_id, created_at, published_at, age_ms, parent_id)
  WHERE ${condition}
  ON CONFLICT DO NOTHING
  RETURNING message_id, handler`;

const lookUpSql = `
  SELECT EXISTS (SELECT FROM inbox i WHERE i.message_id = job.message_id AND i.handler = job.handler OFFSET 0) AS "isKnown",
    ${isBlocked} AS "isBlocked"
  FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS job (message_id, handler, order_key, place)
  ORDER BY job.place`;

const rememberUnblockedSql = remember(`NOT (${isBlocked})`);
const rememberSql = remember('true');

const messageValues = '$4::text, $5::text, $6::text, $7::text, to_timestamp($8::float8), $9::json, $10::bytea';

const recordPendingSql = `
  INSERT INTO inbox_pending (${jobColumns}, state, attempts, next_attempt_at, last_error, errors, free_attempts)
  SELECT job.message_id, job.handler, job.order_key, ${messageValues},
    CASE WHEN blocked THEN 'waiting' ELSE 'retry' END, $11::integer,
    CASE WHEN blocked THEN NULL ELSE now() + $12::float8 * interval '1 millisecond' END, $13::text, $14::jsonb, $15::integer
  FROM (VALUES ($1::uuid, $2::text, $3::text)) AS job (message_id, handler, order_key)
  CROSS JOIN LATERAL (SELECT ${isBlocked} AS blocked) AS earlier`;

const recordBlockerSql = `
  INSERT INTO inbox_pending (${jobColumns}, state, attempts, last_error)
  VALUES ($1::uuid, $2::text, $3::text, ${messageValues}, 'dead', $11::integer, $12::text)
  RETURNING seq`;

export async function lookUpJobs(db: Queryable, batch: readonly Job[]): Promise<DedupeLookup[]> {
  return await query<DedupeLookup>(db, { name: 'inbox.look_up', text: lookUpSql, values: jobArrays(batch) });
}

/** Remembers the jobs that are new and not blocked, in the caller's transaction. Returns their positions in the batch. */
export async function rememberUnblocked(tx: Tx, batch: readonly Job[]): Promise<Set<number>> {
  const rows = await query<{ message_id: string; handler: string }>(tx, {
    name: 'inbox.remember_unblocked',
    text: rememberUnblockedSql,
    values: arrivalArrays(batch),
  });
  const left = new Set(rows.map((row) => `${row.message_id} ${row.handler}`));
  // a message that occurs twice in one batch is remembered once
  return new Set([...batch.keys()].filter((place) => left.delete(jobId(batch[place]))));
}

/** The state of a recorded message. `errors`: JSON. */
export type PendingMessage = {
  attempts: number;
  freeAttempts: number;
  waitMs: number;
  lastError: string | undefined;
  errors: string;
};

/** The initial state of a message that has not been attempted. */
export const notAttempted: PendingMessage = {
  attempts: 0,
  freeAttempts: 0,
  waitMs: 0,
  lastError: undefined,
  errors: '[]',
};

/** The state of a message after its first attempt. */
export function attemptedOnce({ waitMs, isFree, error }: RetryDecision): PendingMessage {
  const freeAttempts = isFree ? 1 : 0;
  return { attempts: 1 - freeAttempts, freeAttempts, waitMs, lastError: error, errors: errorHistory(1, error) };
}

/** Records a message for a later attempt, in the caller's transaction. @returns false if the message is already done or recorded. */
export async function recordPending(tx: Tx, job: Job, pending: PendingMessage): Promise<boolean> {
  if (!(await rememberInOrder(tx, job))) return false;
  const { attempts, freeAttempts, waitMs, lastError, errors } = pending;
  const values = [...jobValues(job), attempts, waitMs, lastError, errors, freeAttempts];
  await query(tx, { name: 'inbox.record_pending', text: recordPendingSql, values });
  return true;
}

/** Records a message that failed permanently on receipt from the queue. Does nothing if the message is already done or recorded. */
export async function deadLetterReceived(
  db: Database,
  deadLetter: DeadLetterWriter,
  job: Job | UnhandledJob,
  failure: Failure,
): Promise<void> {
  await db.transaction(async (tx) => {
    if (job.handler !== undefined && !(await rememberInOrder(tx, job))) return;
    const seq = job.blocksWhenDead ? await recordBlocker(tx, job, failure) : undefined;
    await deadLetter(tx, job, failure, { seq });
  });
}

async function recordBlocker(tx: Tx, job: Job, { attempts, error }: Failure): Promise<string | undefined> {
  const values = [...jobValues(job), attempts, error];
  const [row] = await query<{ seq: string }>(tx, { name: 'inbox.record_blocker', text: recordBlockerSql, values });
  return row?.seq;
}

/** Remembers a job, in the order of its key. @returns false if it is already done or recorded. */
async function rememberInOrder(tx: Tx, job: Job): Promise<boolean> {
  if (job.orderKey !== undefined) await lockOrder(tx, job.handler, job.orderKey);
  const rows = await query(tx, { name: 'inbox.remember', text: rememberSql, values: arrivalArrays([job]) });
  return rows.length > 0;
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

/** The values of `remember`: the jobs, and how their messages arrived. */
function arrivalArrays(batch: readonly Job[]): unknown[] {
  const now = performance.now();
  const messages = batch.map(({ message }) => message);
  return [
    ...jobArrays(batch),
    messages.map(({ type }) => type),
    messages.map(({ aggregateId }) => aggregateId ?? null),
    messages.map(({ correlationId }) => correlationId ?? null),
    messages.map(({ transit }) => transit?.createdAt ?? null),
    messages.map(({ transit }) => transit?.publishedAt ?? null),
    messages.map(({ transit }) => now - (transit?.consumedAt ?? now)),
    messages.map(({ type, payload }) => parentOf(type, () => payload.toString('utf8')) ?? null),
  ];
}
