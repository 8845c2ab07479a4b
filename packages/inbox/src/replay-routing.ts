import { createLoop, type Loop } from '@taskwire/lifecycle';
import { query, type Database, type Tx } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';
import type { Handlers } from './handler.ts';
import { checkMessage, orderKey, schemaVersionOf, type Invalid, type Message } from './message.ts';
import type { InboxMetrics } from './metrics.ts';
import type { SenderRules } from './sender.ts';
import { toMessage, type MessageRow } from './stored-message.ts';
import { errorHistory, recordRetry, untried } from './store.ts';

/** The same interval as the poll for recorded messages; no one waits for a replay with a stopwatch. */
const pollMs = 1_000;

const findUnrouted = 'SELECT FROM dead_letters WHERE unrouted LIMIT 1';

// one at a time across all processes, so that messages of one key keep their order
const takeTurn = `SELECT pg_try_advisory_xact_lock(hashtextextended('inbox replay routing', 0)) AS mine`;

const takeUnrouted = `
  UPDATE dead_letters SET unrouted = false
  WHERE id = (SELECT id FROM dead_letters WHERE unrouted ORDER BY id LIMIT 1 FOR UPDATE)
  RETURNING id, message_id, type, aggregate_id, correlation_id, app_id, extract(epoch FROM sent_at)::float8 AS sent_at,
    headers::text AS headers, payload, errors::text AS errors`;

const failAgain = `
  INSERT INTO dead_letters (
    message_id, type, reason, error, attempts, errors, aggregate_id, correlation_id, app_id, sent_at, headers, payload, received_at)
  SELECT message_id, type, $2, $3, 1, errors || $4::jsonb, aggregate_id, correlation_id, app_id, sent_at, headers, payload, received_at
  FROM dead_letters WHERE id = $1`;

type Unrouted = MessageRow & { id: string; errors: string };

/**
 * Finds handlers for replayed messages that never had one: when they arrived, no handler matched their type, or they were not valid messages. If this
 * build can handle a message, it is recorded for an attempt like any retry; otherwise it becomes a dead letter again.
 */
export function createReplayRouting(options: {
  db: Database;
  handlers: Handlers;
  ignores: (type: string) => boolean;
  senders: SenderRules;
  metrics: InboxMetrics;
  logger: Logger;
  /** Called after a message was recorded that can be attempted at once. */
  onRecorded: () => void;
}): Loop {
  const { db, handlers, ignores, metrics, logger } = options;

  async function route(tx: Tx, { id, errors, ...row }: Unrouted): Promise<void> {
    const message = toMessage(row);
    const wanted = handlers.of(message.type);
    if (wanted.length === 0 && ignores(message.type)) return;
    const schemaVersion = schemaVersionOf(message);
    const invalid = checkMessage(message, { schemaVersion, handlerCount: wanted.length, senders: options.senders });
    if (invalid !== undefined) return await bury(tx, id, message, invalid);
    for (const handler of wanted) {
      const job = { message, handler: handler.name, orderKey: orderKey(message, handler) };
      // false: a duplicate has arrived in the meantime and was taken over
      await recordRetry(tx, job, { ...untried, errors });
    }
  }

  async function bury(tx: Tx, id: string, { id: messageId, type }: Message, invalid: Invalid): Promise<void> {
    const { reason, error } = invalid;
    await query(tx, failAgain, [id, reason, error, errorHistory(1, error)]);
    metrics.messages.inc({ handler: 'none', outcome: 'dead' });
    logger.error('a replayed message is a dead letter again', { message_id: messageId, event: type, reason, error });
  }

  return createLoop({
    name: 'inbox replay routing',
    intervalMs: pollMs,
    logger,
    async tick() {
      const found = await query(db.pool, findUnrouted);
      if (found.length === 0) return 'idle';
      const routed = await db.transaction(async (tx) => {
        const [turn] = await query<{ mine: boolean }>(tx, takeTurn);
        if (turn?.mine !== true) return false;
        const [unrouted] = await query<Unrouted>(tx, takeUnrouted);
        if (unrouted === undefined) return false;
        tx.afterCommit(options.onRecorded);
        await route(tx, unrouted);
        return true;
      });
      return routed ? 'more' : 'idle';
    },
  });
}
