import type { Partition } from '@taskwire/partitions';
import type { LeaderConnection } from './leader-connection.ts';
import { andPartition, rowColumns, toRow, type RawRow, type Row } from './rows.ts';

/** The rows that wait in the database. A blocker is the first row of its aggregate and could not be published; it blocks the rows behind it. */
export type BlockedRows = {
  /** Records blockers with the time of their next attempt, and the rows that they block. */
  record(blockers: readonly { id: number; error: string; waitMs: number }[], blocked: readonly number[]): Promise<void>;
  /** Returns at most `limit` blockers that are due, including those that are being published. */
  dueBlockers(limit: number): Promise<Row[]>;
  /** Returns the first rows of these aggregates, at most `limit` of each. Aggregates without blocked rows are omitted. */
  firstOf(aggregateIds: readonly string[], limit: number): Promise<Map<string, Row[]>>;
  /** Queries the database. `count` and `oldestCreatedAtMs` return the result of the latest query. */
  exist(): Promise<boolean>;
  count(): number;
  oldestCreatedAtMs(): number | undefined;
};

/** The gauge needs no larger count: it matters only whether the value is 0, and whether it is large. */
const countLimit = 10_000;

const sqlOf = (partition: Partition) => ({
  recordBlockers: {
    name: 'outbox.record_blockers',
    text: `UPDATE outbox o
      SET attempts = o.attempts + 1, last_error = failed.error,
          next_attempt_at = now() + failed.wait_ms * interval '1 millisecond'
      FROM unnest($1::bigint[], $2::text[], $3::float8[]) AS failed (id, error, wait_ms)
      WHERE o.id = failed.id`,
  },
  // a blocked row has no due time: it is released when the rows before it are published
  recordBlocked: {
    name: 'outbox.record_blocked',
    text: `UPDATE outbox SET next_attempt_at = 'infinity' WHERE id = ANY ($1::bigint[]) AND next_attempt_at IS NULL`,
  },
  // If a leader dies between publishing a blocker and releasing the rows behind it, these rows have no blocker. The first of them becomes the
  // blocker.
  appointBlockers: {
    name: 'outbox.appoint_blockers',
    text: `UPDATE outbox o SET next_attempt_at = now()
      FROM (SELECT DISTINCT ON (aggregate_id) id, next_attempt_at FROM outbox
            WHERE next_attempt_at IS NOT NULL${andPartition(partition)} ORDER BY aggregate_id, id) AS first
      WHERE o.id = first.id AND first.next_attempt_at = 'infinity'`,
  },
  dueBlockers: {
    name: 'outbox.list_due_blockers',
    text: `SELECT ${rowColumns('false')} FROM outbox o
      WHERE next_attempt_at <= now()${andPartition(partition)} ORDER BY next_attempt_at LIMIT $1`,
  },
  firstOf: {
    name: 'outbox.list_blocked',
    text: `SELECT ${rowColumns('false')} FROM unnest($1::text[]) AS aggregate (id)
      CROSS JOIN LATERAL (
        SELECT * FROM outbox WHERE aggregate_id = aggregate.id AND next_attempt_at IS NOT NULL ORDER BY id LIMIT $2) o`,
  },
  count: {
    name: 'outbox.count_blocked',
    text: `SELECT count(*), (extract(epoch FROM min(created_at)) * 1000)::bigint
      FROM (SELECT created_at FROM outbox WHERE next_attempt_at IS NOT NULL${andPartition(partition)} LIMIT ${countLimit}) blocked`,
  },
});

export function createBlockedRows(connection: LeaderConnection, partition: Partition): BlockedRows {
  const sql = sqlOf(partition);
  let appointed = false;
  let count = 0;
  let oldest: number | undefined;

  return {
    async record(blockers, blocked) {
      if (blockers.length > 0) {
        const values = [blockers.map((b) => b.id), blockers.map((b) => b.error), blockers.map((b) => b.waitMs)];
        await connection.run(sql.recordBlockers, values);
      }
      if (blocked.length > 0) await connection.run(sql.recordBlocked, [blocked]);
    },
    async dueBlockers(limit) {
      return (await connection.run<RawRow>(sql.dueBlockers, [limit])).map(toRow);
    },
    async firstOf(aggregateIds, limit) {
      const rows = (await connection.run<RawRow>(sql.firstOf, [aggregateIds, limit])).map(toRow);
      return Map.groupBy(rows, (row) => row.aggregateId);
    },
    async exist() {
      if (!appointed) await connection.run(sql.appointBlockers);
      appointed = true;
      const [row] = await connection.run<[string, string | null]>(sql.count);
      count = Number(row?.[0] ?? 0);
      oldest = row?.[1] == null ? undefined : Number(row[1]);
      return count > 0;
    },
    count: () => count,
    oldestCreatedAtMs: () => oldest,
  };
}
