import { problem } from '@taskwire/errors';
import { query, type Queryable } from '@taskwire/postgres';
import type { Answer, Document, IdempotentRequest } from '../app/ports.ts';

/** The minimum time for which a response is kept. */
const keptFor = '24 hours';
/** About 10 ms of work. */
const purgeBatch = 1_000;

/**
 * Claims the key for this transaction; returns false if it was already claimed. While another transaction that claimed
 * it is still running, the unique index makes this wait for that transaction to end.
 */
export async function claimKey(tx: Queryable, request: IdempotentRequest): Promise<boolean> {
  const claimed = await query(
    tx,
    `INSERT INTO idempotency_keys (actor_id, key, fingerprint) VALUES ($1, $2, $3)
     ON CONFLICT DO NOTHING RETURNING key`,
    [request.actorId, request.key, request.fingerprint],
  );
  return claimed.length === 1;
}

/** Stores the response under the key that this transaction claimed. */
export async function keepAnswer(tx: Queryable, request: IdempotentRequest, answer: Document): Promise<void> {
  await query(tx, 'UPDATE idempotency_keys SET answer = $3, etag = $4 WHERE actor_id = $1 AND key = $2', [
    request.actorId,
    request.key,
    answer.text,
    answer.etag ?? null,
  ]);
}

/** The response stored under this key, if any. @throws Problem `idempotency_key_reused` for a different request. */
export async function earlierAnswer(db: Queryable, request: IdempotentRequest): Promise<Answer | undefined> {
  const [kept] = await query<{ fingerprint: Buffer; answer: string; etag: number | null }>(
    db,
    'SELECT fingerprint, answer, etag FROM idempotency_keys WHERE actor_id = $1 AND key = $2',
    [request.actorId, request.key],
  );
  if (kept === undefined) return undefined;
  if (!kept.fingerprint.equals(request.fingerprint)) {
    throw problem('idempotency_key_reused', 'Use a new Idempotency-Key for a new request.');
  }
  return { text: kept.answer, ...(kept.etag === null ? {} : { etag: kept.etag }), replayed: true };
}

/**
 * Deletes a batch of expired responses; returns `more` when others may remain. Batches keep each transaction from
 * holding many locks for long.
 */
export async function purgeAnswers(db: Queryable): Promise<'more' | 'idle'> {
  const purged = await query(
    db,
    `DELETE FROM idempotency_keys WHERE (actor_id, key) IN (
       SELECT actor_id, key FROM idempotency_keys WHERE created_at < now() - interval '${keptFor}'
       ORDER BY created_at LIMIT ${purgeBatch} FOR UPDATE SKIP LOCKED
     ) RETURNING key`,
  );
  return purged.length === purgeBatch ? 'more' : 'idle';
}
