import { createLoop, type Loop } from '@taskwire/lifecycle';
import { query, type Database, type Tx } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';
import type { DeadLetterWriter } from './dead-letter.ts';
import type { Handlers } from './handler.ts';
import { jobFor, unhandledJob } from './job.ts';
import { checkMessage, schemaVersionOf } from './message.ts';
import { notAttempted, recordPending } from './received-jobs.ts';
import type { SenderRules } from './sender.ts';
import { readMessageColumns, toMessage, type MessageRow } from './stored-message.ts';

/** The same interval as the poll for recorded messages; replays are not urgent. */
const pollMs = 1_000;

const findUnroutedSql = 'SELECT FROM dead_letters WHERE needs_routing LIMIT 1';

// only one transaction at a time, across all processes, so that messages of one key keep their order
const lockRoutingSql = `SELECT pg_try_advisory_xact_lock(hashtextextended('inbox replay routing', 0)) AS "isLocked"`;

const takeUnroutedSql = `
  UPDATE dead_letters SET needs_routing = false
  WHERE id = (SELECT id FROM dead_letters WHERE needs_routing ORDER BY id LIMIT 1 FOR UPDATE)
  RETURNING message_id, errors::text AS errors, received_at::text AS received_at, ${readMessageColumns}`;

type Unrouted = MessageRow & { errors: string; received_at: string };

/**
 * Finds handlers for replayed messages that never had one: when they arrived, no handler matched their type, or they were not valid messages. If this
 * build can handle a message, it is recorded for an attempt like any retry; otherwise it becomes a dead letter again.
 */
export function createReplayRouting(options: {
  db: Database;
  handlers: Handlers;
  ignores: (type: string) => boolean;
  senders: SenderRules;
  deadLetter: DeadLetterWriter;
  logger: Logger;
  /** Called when a message has been recorded that can be attempted at once. */
  onRecorded: () => void;
}): Loop {
  const { db, handlers, ignores, deadLetter, logger } = options;

  async function route(tx: Tx, { errors, received_at: receivedAt, ...row }: Unrouted): Promise<void> {
    const message = toMessage(row);
    const wanted = handlers.of(message.type);
    if (wanted.length === 0 && ignores(message.type)) return;
    const schemaVersion = schemaVersionOf(message);
    const invalid = checkMessage(message, { schemaVersion, handlerCount: wanted.length, senders: options.senders });
    if (invalid !== undefined) {
      const failure = { reason: invalid.reason, error: invalid.error, attempts: 1 };
      return await deadLetter(tx, unhandledJob(message), failure, { errors, receivedAt });
    }
    // a duplicate that was accepted in the meantime is not recorded again
    for (const handler of wanted) await recordPending(tx, jobFor(message, handler), { ...notAttempted, errors });
  }

  return createLoop({
    name: 'inbox replay routing',
    intervalMs: pollMs,
    logger,
    async tick() {
      const found = await query(db.pool, findUnroutedSql);
      if (found.length === 0) return 'idle';
      const routed = await db.transaction(async (tx) => {
        const [lock] = await query<{ isLocked: boolean }>(tx, lockRoutingSql);
        if (lock?.isLocked !== true) return false;
        const [unrouted] = await query<Unrouted>(tx, takeUnroutedSql);
        if (unrouted === undefined) return false;
        tx.afterCommit(options.onRecorded);
        await route(tx, unrouted);
        return true;
      });
      return routed ? 'more' : 'idle';
    },
  });
}
