import { paged } from '@taskwire/http-server';
import { typePattern } from '@taskwire/inbox';
import { isoMicros, keyset, pageOf, query, type Database, type Keyset } from '@taskwire/postgres';

/** A message that the inbox has received from the queue and stored, but not completed. */
export type PendingMessage = {
  message_id: string;
  handler: string;
  type: string;
  /** The aggregate id: the id of a task or user. */
  key: string | null;
  /**
   * `retry`: due at `next_attempt_at`. `running`: leased by a process until then. `waiting`: behind an earlier message with the same handler and key.
   */
  state: 'retry' | 'running' | 'waiting';
  /** The number of attempts so far, including a running one. */
  attempts: number;
  /** The number of attempts that did not count, because a dependency of the handler was unavailable. */
  unavailable: number;
  next_attempt_at: string | null;
  last_error: string | null;
  received_at: string;
};

export type PendingSearch = {
  key?: string | undefined;
  /** A type, or a pattern: `*` matches one word, `#` any number of words. */
  type?: string | undefined;
  message_id?: string | undefined;
  limit: number;
  cursor?: string | undefined;
};

export type PendingPage = { data: PendingMessage[]; next_cursor: string | null };

const byArrival: Keyset = { direction: 'ASC', columns: { seq: { sql: 'inbox_pending.seq', type: 'bigint' } } };

const search = `
  SELECT seq::text AS seq, message_id, handler, type, aggregate_id AS key,
    CASE WHEN lease_id IS NULL THEN state ELSE 'running' END AS state, attempts, free_attempts AS unavailable,
    ${isoMicros('coalesce(lease_expires_at, next_attempt_at)')} AS next_attempt_at, last_error, ${isoMicros('received_at')} AS received_at
  FROM inbox_pending
  WHERE state <> 'dead' AND ($1::text IS NULL OR aggregate_id = $1) AND ($2::text IS NULL OR ('.' || type) ~ $2)
    AND ($3::text IS NULL OR message_id::text = $3)`;

/** Lists messages that wait for another attempt, in the order of their arrival. Needs only the service's database. @throws Problem `bad_cursor`. */
export async function listPendingMessages(
  db: Database,
  { key, type, message_id: messageId, limit, cursor }: PendingSearch,
): Promise<PendingPage> {
  const filter = { key, type, messageId };
  return await paged({ name: 'pending messages', filter, positions: 'number', cursor, limit }, async (place) => {
    const { condition, orderAndLimit, values } = keyset(byArrival, place, 4);
    const pattern = type === undefined ? null : typePattern(type);
    const rows = await query<PendingMessage & { seq: string }>(db.pool, `${search} AND ${condition} ${orderAndLimit}`, [
      key ?? null,
      pattern,
      messageId?.toLowerCase() ?? null,
      ...values,
    ]);
    const { items, next } = pageOf(rows, byArrival, limit);
    return { items: items.map(({ seq: _seq, ...message }) => message), next };
  });
}
