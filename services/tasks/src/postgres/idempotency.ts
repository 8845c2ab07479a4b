import type { JsonText } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { isSqlState, query, sqlState, type Queryable } from '@taskwire/postgres';
import type { z } from 'zod';
import { RefusedEarlier } from '../app/bulk/ports.ts';
import type { Document, IdempotentRequest, WriteResult } from '../app/ports.ts';
import { showsHidden } from './projects/hidden.ts';

/**
 * Claims the key for this transaction and returns undefined, or returns the response that was saved under it. While
 * another transaction that claimed the key is still running, the unique index makes this wait for that transaction to
 * end.
 * @throws Problem `idempotency_in_progress` when it doesn't end in time.
 */
export async function claimKey<S extends z.ZodType>(
  tx: Queryable,
  request: IdempotentRequest,
): Promise<WriteResult<S> | undefined> {
  try {
    const claimed = await query(
      tx,
      `INSERT INTO idempotency_keys (actor_id, key, fingerprint) VALUES ($1, $2, $3)
       ON CONFLICT DO NOTHING RETURNING key`,
      [request.actorId, request.key, request.fingerprint],
    );
    if (claimed.length === 1) return undefined;
  } catch (error) {
    if (!isSqlState(error, sqlState.lockNotAvailable)) throw error;
    throw problem('idempotency_in_progress', 'Try again in a moment.', {
      headers: { 'Retry-After': '1' },
      cause: error,
    });
  }
  return await savedResponse(tx, request);
}

/** Stores the response under the key that this transaction claimed. */
export async function saveResponse(
  tx: Queryable,
  request: IdempotentRequest,
  response: Document<z.ZodType>,
): Promise<void> {
  await query(tx, 'UPDATE idempotency_keys SET response_body = $3, etag = $4 WHERE actor_id = $1 AND key = $2', [
    request.actorId,
    request.key,
    response.text,
    response.etag ?? null,
  ]);
}

/**
 * The response saved under this key, if any. The fingerprint covers the operation, so the response has the shape of this operation's.
 * @throws Problem `idempotency_key_reused` for a different request; `not_found` if the response shows a task or project that the actor may no longer
 * read; `RefusedEarlier` for an operation of a bulk request that was refused.
 */
export async function savedResponse<S extends z.ZodType>(
  db: Queryable,
  request: IdempotentRequest,
): Promise<WriteResult<S> | undefined> {
  const [saved] = await query<SavedRow<S>>(
    db,
    'SELECT fingerprint, response_body, etag, status FROM idempotency_keys WHERE actor_id = $1 AND key = $2',
    [request.actorId, request.key],
  );
  if (saved === undefined) return undefined;
  if (!saved.fingerprint.equals(request.fingerprint)) {
    throw problem('idempotency_key_reused', 'Use a new Idempotency-Key for a new request.');
  }
  if (saved.status !== null) throw new RefusedEarlier({ status: saved.status, text: saved.response_body });
  if (await showsHidden(db, request.actorId, saved.response_body))
    throw problem('not_found', 'You can no longer read the response to this request.');
  return { text: saved.response_body, etag: saved.etag ?? undefined, replayed: true };
}

type SavedRow<S extends z.ZodType> = {
  fingerprint: Buffer;
  response_body: JsonText<S>;
  etag: number | null;
  status: number | null;
};
