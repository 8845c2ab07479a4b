import pg from 'pg';

/** Transactions that are held open at a time, so that a pooler which shares connections has to show it. */
const holders = 3;

/** A pooler whose connections are all taken lets others wait for two minutes; a service must not start for that long without a word. */
const patienceMs = 5_000;

/**
 * Whether a pooler gives the statements of one connection to different servers' processes (PgBouncer's `pool_mode = transaction`): a setting of
 * the session is then not there in its next statement, or another connection has it. https://www.pgbouncer.org/features.html
 * @throws when the pooler has no connection to give within five seconds, or shares them between statements, which its error says.
 */
export async function isSharedBetweenTransactions(url: string): Promise<boolean> {
  const settings = { application_name: 'taskwire session check', query_timeout: patienceMs };
  const open = () => new pg.Client({ connectionString: url, ...settings, connectionTimeoutMillis: patienceMs });
  const [client, others] = [open(), Array.from({ length: holders }, open)];
  const all = [client, ...others];
  // an error between two queries is told by the next one
  for (const each of all) each.on('error', () => undefined);
  try {
    await client.connect();
    await client.query("SELECT set_config('taskwire.session', 'kept', false)");
    // whoever had that server process gets it now, if it is given away at all
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
