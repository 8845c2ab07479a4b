import type { Database } from './handles.ts';
import { query } from './query.ts';
import { isoMicros } from './sql.ts';

/** Tables whose rows get numbers from one sequence when they are written. All names are constants of the code. */
export type NumberedTables = { tables: readonly string[]; sequence: string };

/**
 * Numbers up to `number` that are settled. Every row whose last change was committed by `asOf` (UTC with microseconds, the clock of the database) has one
 * of them. They are meaningless in another epoch (`Database.sourceEpoch`).
 */
export type Settled = { number: number; asOf: string; epoch: number };

/**
 * Finds numbers up to which no unseen row can appear: all transactions with such a number have ended, and their rows are visible to later statements.
 *
 * Every writer locks its table (ROW EXCLUSIVE, which blocks no other writer) before its row gets a number, and holds the lock until its result is
 * visible. The function reads, in this order, the last number that was given out, and the transactions that hold that lock. Once these have ended, all
 * numbers up to that one are settled. The sequence must have CACHE 1. The outbox reader works in the same way, and explains it in full. When the
 * epoch changes, the function starts again.
 * @returns a function that may be called repeatedly; undefined while nothing new is settled.
 */
export function settledNumbers(db: Database, { tables, sequence }: NumberedTables): () => Promise<Settled | undefined> {
  // the time of the statement is earlier than the read of the number; `clock_timestamp()` could be later, after a commit that the number misses
  const last = `
    SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS number, ${isoMicros('statement_timestamp()')} AS "asOf" FROM ${sequence}`;
  const names = tables.map((table) => `'${table}'`).join(', ');
  const writers = `
    SELECT virtualtransaction AS id FROM pg_locks
    WHERE locktype = 'relation' AND relation = ANY (ARRAY[${names}]::regclass[]) AND mode = 'RowExclusiveLock' AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()`;
  const currentEpoch = (): number => db.sourceEpoch().epoch;
  let pending: (Settled & { writers: string[] }) | undefined;

  return async () => {
    if (pending?.epoch !== currentEpoch()) pending = undefined;
    if (pending === undefined) {
      const epoch = currentEpoch();
      const [row] = await query<{ number: string; asOf: string }>(db.pool, last);
      if (row === undefined) throw new Error(`the sequence ${sequence} has no row`);
      const open = await query<{ id: string }>(db.pool, writers);
      pending = { number: Number(row.number), asOf: row.asOf, epoch, writers: open.map(({ id }) => id) };
    } else {
      const left = await query(db.pool, `${writers} AND virtualtransaction = ANY ($1) LIMIT 1`, [pending.writers]);
      if (left.length === 0) pending.writers = [];
    }
    // a statement may have opened a connection to a server of another epoch
    if (pending.writers.length > 0 || pending.epoch !== currentEpoch()) return undefined;
    const { number, asOf, epoch } = pending;
    pending = undefined;
    return { number, asOf, epoch };
  };
}
