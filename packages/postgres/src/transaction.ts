import type { ClientBase, Pool } from 'pg';
import type { Logger } from '@taskwire/telemetry';
import type { DataSource } from 'typeorm';
import type { Database, LastWork, TransactionOptions, Tx } from './handles.ts';
import { createList } from './list.ts';
import { inQuerySpan } from './query-span.ts';
import { bindClient, query, unbindClient } from './query.ts';
import { sqlStateOf } from './sql.ts';

type Outcome = 'committed' | 'rolled back' | 'unknown';

/** Runs `work` in one READ COMMITTED transaction on its own connection. ADR 34 covers the edge cases. */
export async function runTransaction<T>(
  { pool, orm, logger, database }: { pool: Pool; orm: DataSource; logger: Logger; database: Database },
  work: (tx: Tx) => Promise<T>,
  options: TransactionOptions,
): Promise<T> {
  const hints = new Set<() => void>();
  const lastWorks = new Set<LastWork>();
  const client = await pool.connect();
  const tx: Tx = {
    database,
    query: async (statement, values) => await query(tx, statement, values),
    list: (entity, alias) => createList({ orm, db: tx }, entity, alias),
    beforeCommit: (lastWork) => void lastWorks.add(lastWork),
    afterCommit: (hint) => void hints.add(hint),
  };
  bindClient(tx, client);
  let outcome: Outcome = 'rolled back';
  let isBroken = false;
  try {
    const begin = beginSql(options);
    await inQuerySpan({ name: 'BEGIN', text: begin }, () => client.query(begin));
    const result = await work(tx);
    await runInOrder(tx, lastWorks);
    outcome = 'unknown';
    outcome = await commit(client);
    if (outcome === 'rolled back')
      throw new Error('COMMIT rolled back, because a statement of the transaction had failed');
    return result;
  } catch (error) {
    // an error with an SQLSTATE is the server's response to COMMIT, so nothing was committed; without an SQLSTATE, COMMIT may have taken effect
    if (outcome === 'unknown' && sqlStateOf(error) !== undefined) outcome = 'rolled back';
    isBroken = !(await hasRolledBack(client));
    throw error;
  } finally {
    unbindClient(tx);
    client.release(isBroken);
    if (outcome !== 'rolled back') for (const hint of hints) runHint(hint, logger);
  }
}

function beginSql({ lockTimeoutMs, statementTimeoutMs }: TransactionOptions): string {
  const limits = { lock_timeout: lockTimeoutMs, statement_timeout: statementTimeoutMs };
  const given = Object.entries(limits).filter(([, ms]) => ms !== undefined);
  const settings = given.map(([name, ms = 0]) => `SET LOCAL ${name} = ${Math.ceil(ms)}`);
  return ['BEGIN ISOLATION LEVEL READ COMMITTED', ...settings].join('; ');
}

/** Also runs work that is registered while other work runs. */
async function runInOrder(tx: Tx, works: ReadonlySet<LastWork>): Promise<void> {
  const done = new Set<LastWork>();
  for (;;) {
    const [next] = [...works].filter((work) => !done.has(work)).toSorted((a, b) => a.order - b.order);
    if (next === undefined) return;
    done.add(next);
    await next.run(tx);
  }
}

/** PostgreSQL responds to COMMIT with the tag ROLLBACK, which is not an error, if an earlier statement had failed. */
async function commit(client: ClientBase): Promise<Outcome> {
  const { command } = await inQuerySpan({ text: 'COMMIT' }, () => client.query('COMMIT'));
  return command === 'COMMIT' ? 'committed' : 'rolled back';
}

async function hasRolledBack(client: ClientBase): Promise<boolean> {
  return await client.query('ROLLBACK').then(
    () => true,
    () => false,
  );
}

/** Runs a hint after its transaction has ended. Its error does not affect the caller of the transaction, so it is logged. */
export function runHint(hint: () => void, logger: Logger): void {
  try {
    hint();
  } catch (error) {
    logger.error('a hint after a commit failed', { error });
  }
}
