import { gather, query, type Queryable } from '@taskwire/postgres';

/**
 * A write of deliveries, fenced by their leases. Its parameters are arrays with one element for each delivery, and it returns the ids of the
 * deliveries that it changed. `together` skips rows that another transaction has locked; `alone` waits for them.
 */
export type GatheredWrite = { alone: PreparedStatement; together: PreparedStatement };

type PreparedStatement = { name: string; text: string };

/** The values of one delivery: its id, and one for each further array. */
type Row = readonly [id: string, ...unknown[]];

/**
 * Returns a function that makes the write for one delivery, and returns whether the delivery was changed. Calls during a write share the next one. A
 * delivery that a shared write did not change, because another transaction had locked it or because its lease was lost, is written again alone, which
 * shows which of the two.
 */
export function gatherWrites(db: Queryable, name: string, write: GatheredWrite): (row: Row) => Promise<boolean> {
  async function changedBy(statement: PreparedStatement, rows: readonly Row[]): Promise<Set<string>> {
    const values = (rows[0] ?? []).map((_, column) => rows.map((row) => row[column]));
    const changed = await query<{ id: string }>(db, { ...statement, values });
    return new Set(changed.map(({ id }) => id));
  }

  return gather<Row, boolean>({
    name,
    async together(rows) {
      const changed = await changedBy(write.together, rows);
      return rows.map(([id]) => changed.has(id) || undefined);
    },
    alone: async (row) => (await changedBy(write.alone, [row])).size > 0,
  });
}
