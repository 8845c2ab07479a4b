import pg from 'pg';

/** How many transactions are held open concurrently, so that a pooler that shares connections is detected. */
const holders = 3;

/** A pooler without free connections makes clients wait for two minutes; at start-up, a service must not hang that long without a message. */
const patienceMs = 5_000;

/**
 * Whether a pooler runs the statements of one connection on different server processes (PgBouncer's `pool_mode = transaction`). A setting of the
 * session is then missing in its next statement, or appears in another connection. https://www.pgbouncer.org/features.html
 * @throws an error that says whether the pooler has had no free connection for five seconds, or shares connections between statements.
 */
export async function isSharedBetweenTransactions(url: string): Promise<boolean> {
  const settings = { application_name: 'taskwire session check', query_timeout: patienceMs };
  const open = () => new pg.Client({ connectionString: url, ...settings, connectionTimeoutMillis: patienceMs });
  const [client, others] = [open(), Array.from({ length: holders }, open)];
  const all = [client, ...others];
  // an error between two queries is reported by the next one
  for (const each of all) each.on('error', () => undefined);
  try {
    await client.connect();
    await client.query("SELECT set_config('taskwire.session', 'kept', false)");
    // if server processes are shared, one of these connections now gets the process that ran the statement above
    for (const other of others) {
      await other.connect();
      await other.query('BEGIN');
      if (await hasSetting(other)) return true;
    }
    return !(await hasSetting(client));
  } catch (error) {
    if (!(error instanceof Error && error.message.includes('timeout'))) throw error;
    const remedy = 'let it open more (default_pool_size of PgBouncer), or use the server itself';
    throw new Error(
      `DATABASE_URL leads through a pooler that had no connection to give for ${patienceMs} ms; ${remedy}`,
      {
        cause: error,
      },
    );
  } finally {
    await Promise.all(all.map(async (each) => await each.end().catch(() => undefined)));
  }
}

async function hasSetting(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ kept: string | null }>(
    "SELECT current_setting('taskwire.session', true) AS kept",
  );
  return rows[0]?.kept === 'kept';
}
