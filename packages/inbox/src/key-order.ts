import { query, type Tx } from '@taskwire/postgres';

const lockKey = { name: 'inbox.lock_key', text: 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0))' };

// a replayed message may precede one that is being handled, and waits for it
const promoteNextSql = `
  UPDATE inbox_pending SET state = 'retry', next_attempt_at = now()
  WHERE state = 'waiting'
    AND seq = (SELECT seq FROM inbox_pending WHERE handler = $1 AND order_key = $2 ORDER BY seq LIMIT 1)
    AND NOT EXISTS (SELECT FROM inbox_pending WHERE handler = $1 AND order_key = $2 AND state = 'retry')`;

/**
 * Serializes the transactions that complete or record messages with the same handler and key. Take it in its own statement, so that the snapshot of the
 * next statement includes what the previous holder committed.
 */
export async function lockOrder(tx: Tx, handler: string, key: string): Promise<void> {
  await query(tx, { ...lockKey, values: [`inbox ${handler} ${key}`] });
}

/** Makes the first message of a key due if it is waiting and no other is being handled. The caller's transaction must hold the lock of the key. */
export async function promoteNext(tx: Tx, handler: string, key: string): Promise<void> {
  await query(tx, { name: 'inbox.promote_next', text: promoteNextSql, values: [handler, key] });
}
