/** A row of the outbox as the relay holds it. */
export type Row = {
  id: number;
  messageId: string;
  type: string;
  aggregateId: string;
  /** JSON text, sent as it is. */
  payload: string;
  /** JSON text. */
  headers: string;
  createdAtMs: number;
  attempts: number;
  /** An earlier row of its aggregate could not be published: this one must wait in the database. */
  behindHeld: boolean;
};

/** What `rowColumns` yields, in PostgreSQL's text format. */
export type RawRow = [string, string, string, string, string, string, string, string, string];

/** The columns of a `Row`; the last one says whether it is behind a held row, or just `false` where there are none. */
export function rowColumns(behindHeld: string): string {
  return `o.id, o.message_id, o.type, o.aggregate_id, o.payload, o.headers,
    (extract(epoch FROM o.created_at) * 1000)::bigint, o.attempts, ${behindHeld}`;
}

export const isBehindHeld = `EXISTS (
    SELECT FROM outbox held
    WHERE held.aggregate_id = o.aggregate_id AND held.next_attempt_at IS NOT NULL AND held.id < o.id)`;

/** Columns after those of a `RawRow` are left aside. */
export function toRow([id, messageId, type, aggregateId, payload, headers, createdAt, attempts, behind]: [
  ...RawRow,
  ...string[],
]): Row {
  return {
    // safe as a number for 2^53 rows
    id: Number(id),
    messageId,
    type,
    aggregateId,
    payload,
    headers,
    createdAtMs: Number(createdAt),
    attempts: Number(attempts),
    behindHeld: behind === 't',
  };
}
