import { query, type Queryable } from '@taskwire/postgres';
import { requestOf, type BulkResults, type StoredResult } from '../app/bulk/ports.ts';
import type { IdempotentRequest } from '../app/ports.ts';
import { savedResponse } from './idempotency.ts';
import { showsHidden } from './projects/hidden.ts';

type Row = { place: number; status: number | null; version: number | null; text: string };

const claim = `
  INSERT INTO idempotency_keys (actor_id, key, fingerprint) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING key`;

const readResults = `
  SELECT place, saved.status, saved.etag AS version, saved.response_body AS text
  FROM unnest($2::text[]) WITH ORDINALITY AS operation (key, place)
    JOIN idempotency_keys saved ON saved.actor_id = $1 AND saved.key = operation.key`;

const insertRefusal = `
  INSERT INTO idempotency_keys (actor_id, key, fingerprint, status, response_body) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`;

/** The results of bulk requests, stored with the responses to other requests. */
export function bulkResults(pool: Queryable): BulkResults {
  async function read(request: IdempotentRequest, indexes: readonly number[]): Promise<Map<number, StoredResult>> {
    const keys = indexes.map((index) => requestOf(request, index).key);
    const rows = await query<Row>(pool, readResults, [request.actorId, keys]);
    const all = rows.map(({ text }) => text).filter((text) => text !== '');
    const mayBeHidden = await showsHidden(pool, request.actorId, `[${all.join(',')}]`);
    const results = new Map<number, StoredResult>();
    for (const { place, status, version, text } of rows) {
      const isHidden = mayBeHidden && (await showsHidden(pool, request.actorId, text));
      const index = indexes[Number(place) - 1] ?? 0;
      results.set(index, { status: status ?? undefined, version: version ?? undefined, text, isHidden });
    }
    return results;
  }

  return {
    async begin(request, count) {
      const claimed = await query(pool, claim, [request.actorId, request.key, request.fingerprint]);
      if (claimed.length === 1) return new Map();
      // also checks that the key belongs to the same request
      await savedResponse(pool, request);
      return await read(request, [...Array(count).keys()]);
    },
    async refuse(request, index, { status, text }) {
      const { actorId, key, fingerprint } = requestOf(request, index);
      await query(pool, insertRefusal, [actorId, key, fingerprint, status, text]);
      const stored = (await read(request, [index])).get(index);
      if (stored === undefined) throw new Error('a result that was stored does not exist');
      return stored;
    },
  };
}
