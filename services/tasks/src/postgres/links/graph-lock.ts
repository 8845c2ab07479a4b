import { query, type Tx } from '@taskwire/postgres';

/** The key of the advisory lock of the graph: the bytes of "subtasks" as a bigint, not used by any other lock in this database. */
const graphLock = '8319664138627541875';

export async function lockGraph(tx: Tx): Promise<void> {
  await query(tx, 'SELECT pg_advisory_xact_lock($1)', [graphLock]);
}
