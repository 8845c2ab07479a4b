import { query, type Tx } from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import { describeJob, type Job, type UnhandledJob } from './job.ts';
import { isMessageId } from './message.ts';
import type { InboxMetrics } from './metrics.ts';
import { jobColumns, jobValues } from './stored-message.ts';

/** Why a message failed permanently, with the number of attempts that count (`attempts`) and that do not count (`freeAttempts`). */
export type Failure = { reason: string; error: string; attempts: number; freeAttempts?: number };

/** The history of the message. Times are PostgreSQL's text. */
export type History = {
  /** The earlier entries of the error history, as JSON. */
  errors?: string | undefined;
  receivedAt?: string | undefined;
  /** The message's position within its key, for a replay; by default a new position. */
  seq?: string | undefined;
};

/**
 * Records a message that failed permanently, in the caller's transaction. After the commit it is counted, logged and reported. This is the only function that
 * writes dead letters.
 */
export type DeadLetterWriter = (tx: Tx, job: Job | UnhandledJob, failure: Failure, history?: History) => Promise<void>;

// a dead letter that blocks no other message still has a position within its key
const insertDeadLetter = `
  INSERT INTO dead_letters (${jobColumns}, attempts, reason, error, errors, seq, received_at)
  VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, to_timestamp($8::float8), $9::json, $10::bytea,
    $11::integer, $12::text, $13::text, $14::jsonb || $15::jsonb,
    CASE WHEN $2::text IS NOT NULL THEN coalesce($16::bigint, nextval(pg_get_serial_sequence('inbox_pending', 'seq'))) END,
    coalesce($17::timestamptz, now()))`;

export function createDeadLetterWriter({
  metrics,
  telemetry: { logger, reportError },
}: {
  metrics: InboxMetrics;
  telemetry: Pick<Telemetry, 'logger' | 'reportError'>;
}): DeadLetterWriter {
  return async (tx, job, failure, { errors = '[]', receivedAt, seq } = {}) => {
    const { reason, error, attempts, freeAttempts = 0 } = failure;
    const latest = errorHistory(attempts + freeAttempts, error);
    const values = [...jobValues(job), attempts, reason, error, errors, latest, seq, receivedAt];
    await query(tx, { name: 'inbox.insert_dead_letter', text: insertDeadLetter, values });
    tx.afterCommit(() => {
      metrics.messages.inc({ handler: job.handler ?? 'none', outcome: 'dead' });
      logger.error('message dead-lettered', { ...describeJob(job), attempts, reason, error });
      reportError({ kind: 'dead_letter', tags: { code: reason, attempts, ...tagsOf(job) } });
    });
  };
}

/** Without the error, which may quote the message. A message without a handler may have any type, so its type is not reported. */
function tagsOf({ message, handler }: Job | UnhandledJob): Record<string, string | undefined> {
  return {
    handler: handler ?? 'none',
    event: handler === undefined ? undefined : message.type,
    message_id: isMessageId(message.id) ? message.id : undefined,
    request_id: message.correlationId,
  };
}

/** Returns an error history with one entry, as JSON. */
export function errorHistory(attempt: number, error: string): string {
  return JSON.stringify([{ at: new Date().toISOString(), attempt, error }]);
}
