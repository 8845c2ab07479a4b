import { problem } from '@taskwire/errors';
import { query, type Queryable } from '@taskwire/postgres';
import type { Answer, Document, IdempotentRequest } from '../app/ports.ts';

/** How long an answer is kept, at least. */
const keptFor = '24 hours';
/** Some 10 ms of work. */
const purgeBatch = 1_000;

/**
 * Takes the key for the running transaction; false when it was taken before. While another transaction that took it still runs, this waits
 * for the end of that one: the unique index makes it so.
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

/** Keeps the answer with the key that this transaction took. */
export async function keepAnswer(tx: Queryable, request: IdempotentRequest, answer: Document): Promise<void> {
  await query(tx, 'UPDATE idempotency_keys SET answer = $3, etag = $4 WHERE actor_id = $1 AND key = $2', [
    request.actorId,
    request.key,
    answer.text,
    answer.etag ?? null,
  ]);
}

/** The answer that was given under this key, undefined when there was none. @throws Problem `idempotency_key_reused` for another request. */
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

/** Forgets some old answers; `more` when there may be others. In batches, so that none of these transactions holds many locks for long. */
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
