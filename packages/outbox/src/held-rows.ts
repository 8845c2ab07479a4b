import type { OwnerConnection } from './owner-connection.ts';
import { rowColumns, toRow, type RawRow, type Row } from './rows.ts';

/** The rows that wait in the database: the heads of aggregates, which could not be published, and the rows behind them. */
export type HeldRows = {
  /** Records failed heads with the time of their next attempt, and the rows behind them. */
  hold(heads: readonly { id: number; error: string; waitMs: number }[], followers: readonly number[]): Promise<void>;
  /** Returns at most `limit` heads that are due, including those that are being published. */
  due(limit: number): Promise<Row[]>;
  /** Returns the first rows of these aggregates, at most `limit` of each. Aggregates without blocked rows are omitted. */
  behind(aggregateIds: readonly string[], limit: number): Promise<Map<string, Row[]>>;
  /** Queries the database. `count` and `oldestCreatedAtMs` return the result of the latest query. */
  exists(): Promise<boolean>;
  count(): number;
  oldestCreatedAtMs(): number | undefined;
};

/** The gauge needs no more: only whether it is 0, and whether it is large, matters. */
const countLimit = 10_000;

const sql = {
  // a follower has no due time of its own: it is released when the rows before it are published
  hold: {
    name: 'outbox hold',
    text: `UPDATE outbox o
      SET attempts = o.attempts + 1, last_error = failed.error,
          next_attempt_at = now() + failed.wait_ms * interval '1 millisecond'
      FROM unnest($1::bigint[], $2::text[], $3::float8[]) AS failed (id, error, wait_ms)
      WHERE o.id = failed.id`,
  },
  holdFollowers: {
    name: 'outbox hold followers',
    text: `UPDATE outbox SET next_attempt_at = 'infinity' WHERE id = ANY ($1::bigint[]) AND next_attempt_at IS NULL`,
  },
  // A leader that dies between publishing a head and releasing the rows behind it leaves them without a head. Their first row becomes the head.
  appointHeads: {
    name: 'outbox appoint heads',
    text: `UPDATE outbox o SET next_attempt_at = now()
      FROM (SELECT DISTINCT ON (aggregate_id) id, next_attempt_at FROM outbox
            WHERE next_attempt_at IS NOT NULL ORDER BY aggregate_id, id) AS head
      WHERE o.id = head.id AND head.next_attempt_at = 'infinity'`,
  },
  due: {
    name: 'outbox due',
    text: `SELECT ${rowColumns('false')} FROM outbox o WHERE next_attempt_at <= now() ORDER BY next_attempt_at LIMIT $1`,
  },
  behind: {
    name: 'outbox behind',
    text: `SELECT ${rowColumns('false')} FROM unnest($1::text[]) AS aggregate (id)
      CROSS JOIN LATERAL (
        SELECT * FROM outbox WHERE aggregate_id = aggregate.id AND next_attempt_at IS NOT NULL ORDER BY id LIMIT $2) o`,
  },
  count: {
    name: 'outbox count held',
    text: `SELECT count(*), (extract(epoch FROM min(created_at)) * 1000)::bigint
      FROM (SELECT created_at FROM outbox WHERE next_attempt_at IS NOT NULL LIMIT ${countLimit}) held`,
  },
};

export function createHeldRows(connection: OwnerConnection): HeldRows {
  let appointed = false;
  let count = 0;
  let oldest: number | undefined;

  return {
    async hold(heads, followers) {
      if (heads.length > 0)
        await connection.run(sql.hold, [heads.map((h) => h.id), heads.map((h) => h.error), heads.map((h) => h.waitMs)]);
      if (followers.length > 0) await connection.run(sql.holdFollowers, [followers]);
    },
    async due(limit) {
      return (await connection.run<RawRow>(sql.due, [limit])).map(toRow);
    },
    async behind(aggregateIds, limit) {
      const rows = (await connection.run<RawRow>(sql.behind, [aggregateIds, limit])).map(toRow);
      return Map.groupBy(rows, (row) => row.aggregateId);
    },
    async exists() {
      if (!appointed) await connection.run(sql.appointHeads);
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
