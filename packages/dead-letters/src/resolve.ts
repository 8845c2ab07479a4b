import { lockOrder, promoteNext } from '@taskwire/inbox';
import { query, type Database, type Tx } from '@taskwire/postgres';
import { addLogFields } from '@taskwire/telemetry';

/** The actor that resolves a dead letter, and the reason. */
export type Resolution = { actor: string; reason?: string | undefined };

/** `conflict`: the dead letter has already been resolved. */
export type ResolveResult = 'done' | 'not_found' | 'conflict';

type Letter = { message_id: string; handler: string | null; order_key: string | null };

// the only statement that resolves a dead letter, so that exactly one of any number of concurrent replays and drops succeeds
const resolveLetter = `
  UPDATE dead_letters
  SET state = $2, resolved_at = clock_timestamp(), resolved_by = $3, resolved_reason = $4,
    needs_routing = $2 = 'replayed' AND handler IS NULL
  WHERE id = $1 AND state = 'dead'
  RETURNING message_id, handler, order_key`;

const audit = `
  INSERT INTO dead_letter_audit (dead_letter_id, message_id, handler, type, action, actor, reason)
  SELECT id, message_id, handler, type, $2, $3, $4 FROM dead_letters WHERE id = $1`;

// the deduplication row may have been purged; re-insert it so that a redelivered copy is still recognised
const reinsertInboxRow = `
  INSERT INTO inbox (message_id, handler) VALUES ($1::uuid, $2) ON CONFLICT DO NOTHING`;

// A dead letter that blocks later messages still has its position; any other dead letter regains its former position.
const returnToPending = `
  INSERT INTO inbox_pending AS placed (
    seq, message_id, handler, type, order_key, state, attempts, last_error, errors, aggregate_id, correlation_id, app_id, sent_at, headers,
    payload, received_at)
  SELECT coalesce(seq, nextval(pg_get_serial_sequence('inbox_pending', 'seq'))), message_id::uuid, handler, type, order_key, 'waiting', 0,
    error, errors, aggregate_id, correlation_id, app_id, sent_at, headers, payload, received_at
  FROM dead_letters WHERE id = $1
  ON CONFLICT (message_id, handler) DO UPDATE
  SET state = 'waiting', attempts = 0, free_attempts = 0, crash_count = 0, lease_id = NULL, lease_expires_at = NULL, next_attempt_at = NULL,
    pending_since = now(), last_error = excluded.last_error, errors = excluded.errors
  WHERE placed.state = 'dead'`;

// A later message with the same key that is waiting for its retry moves behind the replayed one; one already being handled is left to finish.
const moveBehind = `
  UPDATE inbox_pending SET state = 'waiting', next_attempt_at = NULL
  WHERE handler = $1 AND order_key = $2 AND state = 'retry' AND lease_id IS NULL
    AND seq > (SELECT seq FROM inbox_pending WHERE message_id = $3::uuid AND handler = $1)`;

const makeDue = `
  UPDATE inbox_pending SET state = 'retry', next_attempt_at = now()
  WHERE message_id = $1::uuid AND handler = $2 AND state = 'waiting'`;

const removeBlocker = `DELETE FROM inbox_pending WHERE message_id = $1::uuid AND handler = $2 AND state = 'dead'`;

/** Retries a dead letter from its first attempt, in its position within its key. It keeps its history. */
export async function replayOne(db: Database, id: string, resolution: Resolution): Promise<ResolveResult> {
  return await resolve(db, id, { state: 'replayed', action: 'replay' }, resolution, async (tx, letter) => {
    const { message_id, handler, order_key } = letter;
    // a message without a handler has no position yet; the service's inbox looks for a handler (needs_routing)
    if (handler === null) return;
    await query(tx, reinsertInboxRow, [message_id, handler]);
    await query(tx, returnToPending, [id]);
    if (order_key === null) return void (await query(tx, makeDue, [message_id, handler]));
    await query(tx, moveBehind, [handler, order_key, message_id]);
    await promoteNext(tx, handler, order_key);
  });
}

/** Drops a dead letter permanently, and unblocks the messages behind it. */
export async function dropOne(db: Database, id: string, resolution: Resolution): Promise<ResolveResult> {
  return await resolve(db, id, { state: 'dropped', action: 'drop' }, resolution, async (tx, letter) => {
    const { message_id, handler, order_key } = letter;
    if (handler === null) return;
    await query(tx, removeBlocker, [message_id, handler]);
    if (order_key !== null) await promoteNext(tx, handler, order_key);
  });
}

async function resolve(
  db: Database,
  id: string,
  { state, action }: { state: 'replayed' | 'dropped'; action: 'replay' | 'drop' },
  { actor, reason }: Resolution,
  release: (tx: Tx, letter: Letter) => Promise<void>,
): Promise<ResolveResult> {
  return await db.transaction(async (tx) => {
    const [letter] = await query<Letter>(tx, resolveLetter, [id, state, actor, reason]);
    if (letter === undefined) {
      const known = await query(tx, 'SELECT FROM dead_letters WHERE id = $1', [id]);
      return known.length > 0 ? 'conflict' : 'not_found';
    }
    addLogFields({ message_id: letter.message_id });
    await query(tx, audit, [id, action, actor, reason]);
    if (letter.handler !== null && letter.order_key !== null) await lockOrder(tx, letter.handler, letter.order_key);
    await release(tx, letter);
    return 'done';
  });
}
