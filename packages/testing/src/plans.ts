import pg, { type Pool, type PoolClient, type QueryConfig } from 'pg';
import type { TestDatabase } from './database.ts';
import { fromRunner } from './environment.ts';
import { isDrill } from './property-runs.ts';

/**
 * The sizes of a service's largest tables for which plans are tested. From 10,000 rows on, PostgreSQL prefers an index wherever one exists; the
 * drills also test nearly empty and large tables.
 */
export const planSizes: readonly number[] = isDrill ? [100, 10_000, 100_000] : [10_000];

/** An executed statement. Prepared statements have a name. */
export type RanStatement = { name: string | undefined; text: string; values: readonly unknown[] };

export type StatementLog = {
  /** The statements executed since the start, each text once, with the values of its first execution. */
  statements(): RanStatement[];
  clear(): void;
};

/** Records the statements that run on the connections of a pool from now on. */
export function recordStatements(pool: Pool): StatementLog {
  const ran = new Map<string, RanStatement>();
  const watched = new WeakSet<PoolClient>();
  pool.on('acquire', (client) => {
    if (watched.has(client)) return;
    watched.add(client);
    const run = client.query.bind(client) as (...args: unknown[]) => unknown;
    const watchedQuery = (...args: unknown[]): unknown => {
      const [config] = args as [string | QueryConfig];
      const { name, text, values = [] } = typeof config === 'string' ? { name: undefined, text: config } : config;
      if (!ran.has(text)) ran.set(text, { name, text, values: values as unknown[] });
      return run(...args);
    };
    Object.assign(client, { query: watchedQuery });
  });
  return { statements: () => [...ran.values()], clear: () => ran.clear() };
}

/**
 * Runs INSERTs that fill large tables, each with the same values, and then analyzes all tables, as autovacuum would do later. Foreign keys aren't
 * checked, since that takes most of the time of a large INSERT, and no statement timeout applies.
 */
export async function fillTables(
  { url }: Pick<TestDatabase, 'url'>,
  inserts: readonly string[],
  values: readonly unknown[],
): Promise<void> {
  const administrators = new URL(fromRunner('TASKWIRE_TEST_POSTGRES_URL'));
  administrators.pathname = new URL(url).pathname;
  const client = new pg.Client({ connectionString: administrators.href });
  await client.connect();
  try {
    await client.query('SET session_replication_role = replica');
    for (const text of inserts) await client.query(text, [...values]);
    await client.query('VACUUM ANALYZE');
  } finally {
    await client.end();
  }
}

type PlanNode = {
  'Node Type': string;
  'Relation Name'?: string;
  Plans?: PlanNode[];
  /** Averages of the loops; only if the statement was run. */
  'Actual Rows'?: number;
  'Rows Removed by Filter'?: number;
  'Actual Loops'?: number;
};

/**
 * The tables that a statement scans sequentially, according to the plan for its values and, if it is prepared, the generic plan, since PostgreSQL
 * chooses between the two at run time.
 */
export async function tablesScanned(pool: Pool, { name, text, values }: RanStatement): Promise<string[]> {
  const plans = [await explain(pool, `EXPLAIN (FORMAT JSON) ${text}`, values)];
  if (name !== undefined) plans.push(await explain(pool, `EXPLAIN (GENERIC_PLAN, FORMAT JSON) ${text}`, []));
  return [...new Set(plans.flatMap(scannedIn))];
}

/** A table of at most this size may be read completely, such as the users of a small installation. */
const smallRows = 1_500;
/** Statements that EXPLAIN accepts; BEGIN and COMMIT have no plan. */
const planned = /^\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b/i;

/**
 * The sequential scans of large tables by any of the statements that have a plan, each as `table: statement`. The size of a table is the one found by
 * the last ANALYZE.
 */
export async function largeTableScans(pool: Pool, ran: readonly RanStatement[]): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(largeTables, [smallRows]);
  const large = rows.map(({ name }) => name);
  const found: string[] = [];
  for (const statement of ran.filter(({ text }) => planned.test(text))) {
    const scanned = await tablesScanned(pool, statement);
    found.push(...scanned.filter((name) => large.includes(name)).map((name) => `${name}: ${statement.text}`));
  }
  return found;
}

const largeTables = "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND reltuples > $1";

async function explain(pool: Pool, text: string, values: readonly unknown[]): Promise<PlanNode> {
  const { rows } = await pool.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(text, [...values]);
  const plan = rows[0]?.['QUERY PLAN'][0].Plan;
  if (plan === undefined) throw new Error(`no plan for ${text}`);
  return plan;
}

/** The number of rows that a reading statement takes from tables and indexes for its values, with those that its conditions then remove. Runs it. */
export async function rowsRead(pool: Pool, { text, values }: RanStatement): Promise<number> {
  return rowsIn(await explain(pool, `EXPLAIN (ANALYZE, FORMAT JSON) ${text}`, values));
}

function rowsIn(node: PlanNode): number {
  const { 'Actual Rows': rows = 0, 'Actual Loops': loops = 0, 'Rows Removed by Filter': removed = 0 } = node;
  const own = node['Relation Name'] === undefined ? 0 : (rows + removed) * loops;
  return (node.Plans ?? []).reduce((sum, plan) => sum + rowsIn(plan), own);
}

function scannedIn(node: PlanNode): string[] {
  const own = node['Node Type'] === 'Seq Scan' ? [node['Relation Name'] ?? '?'] : [];
  return [...own, ...(node.Plans ?? []).flatMap(scannedIn)];
}
