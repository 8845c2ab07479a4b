import { partitionSql, type Partition } from '@taskwire/partitions';

/** An outbox row as the relay holds it in memory. */
export type Row = {
  id: number;
  messageId: string;
  type: string;
  aggregateId: string;
  /** JSON text, sent unchanged. */
  payload: string;
  /** JSON text. */
  headers: string;
  /** Microseconds since 1970, like the other times of a row. */
  createdAt: number;
  /** When the row was last published; 0 until then. */
  publishedAt: number;
  attempts: number;
  /** Whether an earlier row of its aggregate could not be published. This row must then wait in the database. */
  isBlocked: boolean;
};

/** The columns of `rowColumns`, in PostgreSQL's text format. */
export type RawRow = [string, string, string, string, string, string, string, string, string];

/** Returns the columns of a `Row`. The last column says whether an earlier row blocks this one; it is just `false` if no rows are blocked. */
export function rowColumns(isBlocked: string): string {
  return `o.id, o.message_id, o.type, o.aggregate_id, o.payload, o.headers,
    (extract(epoch FROM o.created_at) * 1000000)::bigint, o.attempts, ${isBlocked}`;
}

/** Returns ` AND …` for the rows of a partition; empty for the only partition, which has all rows. */
export function andPartition(partition: Partition, aggregateId = 'aggregate_id'): string {
  const condition = partitionSql(aggregateId, partition);
  return condition === undefined ? '' : ` AND ${condition}`;
}

export const isBlockedSql = `EXISTS (
    SELECT FROM outbox earlier
    WHERE earlier.aggregate_id = o.aggregate_id AND earlier.next_attempt_at IS NOT NULL AND earlier.id < o.id)`;

export function toRow([id, messageId, type, aggregateId, payload, headers, createdAt, attempts, blocked]: RawRow): Row {
  return {
    // exact as a number for 2^53 rows
    id: Number(id),
    messageId,
    type,
    aggregateId,
    payload,
    headers,
    createdAt: Number(createdAt),
    publishedAt: 0,
    attempts: Number(attempts),
    isBlocked: blocked === 't',
  };
}
