import type { Queryable } from './handles.ts';
import { query } from './query.ts';
import type { RetentionRule } from './retention-rule.ts';

/** The rows to delete, and the reason. */
export type Deletion = {
  table: string;
  /** The name of the rule. Default: the table's name. Required if a table has several rules. */
  name?: string;
  /** How long the rows are kept, in words for operators: "90 days after it was resolved (DEAD_LETTER_DAYS)". */
  keeps: string;
  /** Why no longer, and why so long. */
  because: string;
  /** The condition in SQL, with the placeholders `$1` to `$n`. */
  where: string;
  /** The values of the placeholders, computed for each batch. */
  values?: () => readonly unknown[];
  /**
   * The column that orders the rows, so that the oldest are deleted first. It needs an index that also serves the condition. Without this column,
   * matching rows are deleted in any order.
   */
  orderBy?: string;
  /** The time in SQL at which a matching row should have been deleted. The placeholders are the same as in `where`. */
  dueAt: string;
  /** Rows per batch. Bounds the duration of each statement and the number of its locks. */
  batch: number;
};

/**
 * Returns a rule that deletes rows in batches, each with one statement. Any number of processes may run the rule at the same time: each gets
 * different rows.
 *
 * - The rows are selected once, in a materialised CTE. PostgreSQL may turn `IN (SELECT … LIMIT … FOR UPDATE SKIP LOCKED)` into a join that repeats
 *   the subquery for each row of the table, finds different rows each time, and so deletes more than the limit.
 * - After a full batch, the next one starts at its last row. The index keeps entries of deleted rows until they are vacuumed; scanning them again
 *   from the start would make each batch slower than the one before. Rows that were locked are found when the rule starts again from the beginning.
 * - Rows are addressed by `ctid`, which works with any primary key. A row that another transaction updates at the same moment is left for a later
 *   round.
 */
export function deleteInBatches(deletion: Deletion): RetentionRule {
  const { table, name = table, keeps, because, batch } = deletion;
  let after: string | undefined;
  return {
    ...{ name, table, keeps, because },
    async run({ pool }) {
      const { text, values } = statementOf(deletion, after);
      const [row] = await query<Batch>(pool, text, values);
      if (row === undefined) throw new Error('an aggregate returns a row');
      const isFull = row.found === batch;
      after = isFull ? (row.last ?? undefined) : undefined;
      return { rows: row.deleted, progress: isFull ? 'more' : 'idle' };
    },
    overdueSeconds: async ({ pool }) => await overdueSeconds(pool, deletion),
  };
}

type Batch = { found: number; deleted: number; last: string | null };

function statementOf({ table, where, orderBy, values = () => [], batch }: Deletion, after: string | undefined) {
  const given = values();
  const hasStart = orderBy !== undefined && after !== undefined;
  const text = `
    WITH batch AS MATERIALIZED (
      SELECT ctid AS place, ${orderBy ?? 'NULL'} AS position FROM ${table}
      WHERE (${where})${hasStart ? ` AND ${orderBy} >= $${given.length + 1}` : ''}
      ${orderBy === undefined ? '' : `ORDER BY ${orderBy} `}LIMIT ${batch}
      FOR UPDATE SKIP LOCKED
    ), deleted AS (
      DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT place FROM batch)) RETURNING true
    )
    SELECT (SELECT count(*)::integer FROM batch) AS found, (SELECT count(*)::integer FROM deleted) AS deleted,
      (SELECT position::text FROM batch ORDER BY position DESC LIMIT 1) AS last`;
  return { text, values: hasStart ? [...given, after] : given };
}

/** The part of a rule from which its delay is measured. */
export type DueRows = Pick<Deletion, 'table' | 'where' | 'values' | 'orderBy' | 'dueAt'>;

/** The time in seconds since the first matching row became due; 0 if no row matches. Reads one row, using the index that orders the rows. */
export async function overdueSeconds(
  db: Queryable,
  { table, where, values = () => [], orderBy, dueAt }: DueRows,
): Promise<number> {
  const first = `SELECT ${dueAt} AS due_at FROM ${table} WHERE (${where}) ${orderBy === undefined ? '' : `ORDER BY ${orderBy} `}LIMIT 1`;
  const [row] = await query<{ overdue: number }>(
    db,
    `SELECT greatest(extract(epoch FROM clock_timestamp() - due_at), 0)::float8 AS overdue FROM (${first}) AS first`,
    values(),
  );
  return row?.overdue ?? 0;
}
