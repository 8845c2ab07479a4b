import pg from 'pg';

/** Transactions that are held open at a time, so that a pooler which shares connections has to show it. */
const holders = 3;

/**
 * Whether a pooler gives the statements of one connection to different servers' processes (PgBouncer's `pool_mode = transaction`): a setting of
 * the session is then not there in its next statement. https://www.pgbouncer.org/features.html
 */
export async function isSharedBetweenTransactions(url: string): Promise<boolean> {
  const open = () => new pg.Client({ connectionString: url, application_name: 'taskwire session check' });
  const [client, others] = [open(), Array.from({ length: holders }, open)];
  const all = [client, ...others];
  // an error between two queries is told by the next one
  for (const each of all) each.on('error', () => undefined);
  try {
    for (const each of all) await each.connect();
    await client.query("SELECT set_config('taskwire.session', 'kept', false)");
    // whoever had that server process gets it now, if it is given away at all
    for (const other of others) await other.query('BEGIN');
    for (const other of others) await other.query('SELECT 1');
    const { rows } = await client.query<{ kept: string | null }>(
      "SELECT current_setting('taskwire.session', true) AS kept",
    );
    const seen = await Promise.all(
      others.map(async (other) => {
        const result = await other.query<{ kept: string | null }>(
          "SELECT current_setting('taskwire.session', true) AS kept",
        );
        return result.rows[0]?.kept;
      }),
    );
    return rows[0]?.kept !== 'kept' || seen.includes('kept');
  } finally {
    await Promise.all(all.map(async (each) => await each.end().catch(() => undefined)));
  }
}
