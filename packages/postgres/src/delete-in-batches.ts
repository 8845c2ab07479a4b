import type { Queryable } from './handles.ts';
import { query } from './query.ts';
import type { RetentionRule } from './retention.ts';

/** Selects the rows to delete. All parts except `values` are SQL. */
export type Deletion = {
  table: string;
  /** The condition, with the placeholders `$1` to `$n`. */
  where: string;
  /** The values of the placeholders, computed for each batch. */
  values?: () => readonly unknown[];
  /** The column by which the oldest rows are deleted first. It has an index that serves the condition. Without it, any matching rows are deleted. */
  orderBy?: string;
  /** Rows per batch. Bounds the duration of each statement and the number of its locks. */
  batch: number;
  /** Called after each batch with the number of deleted rows, for metrics. */
  onDeleted?: (count: number) => void;
};

/**
 * Returns a rule that deletes rows in batches, each with one statement. Any number of processes may run it at the same time: each gets different
 * rows.
 *
 * - The rows are selected once, in a materialised CTE. PostgreSQL may turn `IN (SELECT … LIMIT … FOR UPDATE SKIP LOCKED)` into a join that repeats
 *   the subquery for each row of the table, finds different rows each time, and so deletes more than the limit.
 * - After a full batch, the next one starts at its last row. The index keeps entries of deleted rows until they are vacuumed; scanning them again
 *   from the start would make each batch slower than the one before. Rows that were locked are found when the rule starts over.
 * - Rows are addressed by `ctid`, which works with any primary key. A row that another transaction updates at the same moment is left for a later round.
 */
export function deleteInBatches(db: Queryable, deletion: Deletion): RetentionRule {
  const { table, batch, onDeleted } = deletion;
  let after: string | undefined;
  return {
    name: table,
    async run() {
      const { text, values } = statementOf(deletion, after);
      const [row] = await query<Batch>(db, text, values);
      if (row === undefined) throw new Error('an aggregate returns a row');
      onDeleted?.(row.deleted);
      const isFull = row.found === batch;
      after = isFull ? (row.last ?? undefined) : undefined;
      return isFull ? 'more' : 'idle';
    },
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
