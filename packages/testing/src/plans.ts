import type { Pool, PoolClient, QueryConfig } from 'pg';

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

type PlanNode = { 'Node Type': string; 'Relation Name'?: string; Plans?: PlanNode[] };

/**
 * The tables that a statement scans sequentially, according to the plan for its values and, if it is prepared, the generic plan: PostgreSQL chooses
 * between the two at run time.
 */
export async function tablesScanned(pool: Pool, { name, text, values }: RanStatement): Promise<string[]> {
  const plans = [await explain(pool, `EXPLAIN (FORMAT JSON) ${text}`, values)];
  if (name !== undefined) plans.push(await explain(pool, `EXPLAIN (GENERIC_PLAN, FORMAT JSON) ${text}`, []));
  return [...new Set(plans.flatMap(scannedIn))];
}

async function explain(pool: Pool, text: string, values: readonly unknown[]): Promise<PlanNode> {
  const { rows } = await pool.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(text, [...values]);
  const plan = rows[0]?.['QUERY PLAN'][0].Plan;
  if (plan === undefined) throw new Error(`no plan for ${text}`);
  return plan;
}

function scannedIn(node: PlanNode): string[] {
  const own = node['Node Type'] === 'Seq Scan' ? [node['Relation Name'] ?? '?'] : [];
  return [...own, ...(node.Plans ?? []).flatMap(scannedIn)];
}
