import { isoMicros, listCursors, query, type Database } from '@taskwire/postgres';
import { z } from 'zod';
import { typePattern } from '@taskwire/inbox';

/** A message that was taken over from the queue and is not completed yet. */
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

const position = z.string().regex(/^\d{1,19}$/);

const search = `
  SELECT seq::text AS seq, message_id, handler, type, aggregate_id AS key,
    CASE WHEN lease IS NULL THEN state ELSE 'running' END AS state, attempts, uncounted AS unavailable,
    ${isoMicros('next_attempt_at')} AS next_attempt_at, last_error, ${isoMicros('received_at')} AS received_at
  FROM inbox_retries
  WHERE state <> 'dead' AND seq > coalesce($1::bigint, 0)
    AND ($2::text IS NULL OR aggregate_id = $2) AND ($3::text IS NULL OR ('.' || type) ~ $3)
    AND ($4::text IS NULL OR message_id::text = $4)
  ORDER BY inbox_retries.seq LIMIT $5`;

/** Lists messages that wait for another attempt, in the order of their arrival. Needs only the service's database. @throws Problem `bad_cursor`. */
export async function listPendingMessages(
  db: Database,
  { key, type, message_id: messageId, limit, cursor }: PendingSearch,
): Promise<PendingPage> {
  const cursors = listCursors(position, { name: 'pending messages', filter: { key, type, messageId } });
  const after = cursors.decode(cursor);
  const pattern = type === undefined ? null : typePattern(type);
  const values = [after ?? null, key ?? null, pattern, messageId?.toLowerCase() ?? null, limit + 1];
  const found = await query<PendingMessage & { seq: string }>(db.pool, search, values);
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return {
    data: page.map(({ seq: _seq, ...message }) => message),
    next_cursor: found.length > limit && last !== undefined ? cursors.encode(last.seq) : null,
  };
}
