import { createDatabase, query, type Database } from '@taskwire/postgres';
import { silent } from '@taskwire/testing';
import { createTelemetry } from '@taskwire/telemetry';

/** A handle of one connection, so that everything it does is counted. */
export type CountedDatabase = {
  db: Database;
  /** The number of buffers (pages of 8 kB) that `work` reads through this handle, in memory or from disk, including those of planning and of functions. */
  buffersOf(work: () => Promise<unknown>): Promise<number>;
};

/** Opens a handle on a test database. The caller closes it. */
export async function countedDatabase(url: string): Promise<CountedDatabase> {
  const telemetry = createTelemetry({ service: 'test', stream: silent() });
  const db = await createDatabase({ url, poolSize: 1, applicationName: 'counted', telemetry });

  async function total(): Promise<number> {
    // a session publishes its counters at most once a second unless it is asked to, when the statement has ended
    await query(db.pool, 'SELECT pg_stat_force_next_flush()');
    const [row] = await query<{ total: string }>(
      db.pool,
      'SELECT sum(coalesce(hits, 0) + coalesce(reads, 0)) AS total FROM pg_stat_get_backend_io(pg_backend_pid())',
    );
    return Number(row?.total);
  }

  return {
    db,
    async buffersOf(work) {
      const before = await total();
      await work();
      return (await total()) - before;
    },
  };
}
