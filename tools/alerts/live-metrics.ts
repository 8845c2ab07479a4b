import { setTimeout as delay } from 'node:timers/promises';
import { dashboards } from '../../infra/observability/dashboards/dashboards.ts';
import { ruleGroups } from '../../infra/observability/rules.ts';
import type { World } from './world.ts';

/** Words of PromQL that are not metrics. */
const otherWords = /^(label_replace|max_over_time|min_over_time|histogram_quantile)$/;

/** The names of metrics in an expression. Recorded series, whose names contain colons, are excluded. */
export function metricsIn(expr: string): string[] {
  const bare = expr
    .replaceAll(/"[^"]*"/g, '')
    .replaceAll(/\{[^}]*\}/g, '')
    .replaceAll(/\b(by|without|on|ignoring) \([^)]*\)/g, '')
    .replaceAll(/\[[^\]]*\]/g, '')
    .replaceAll(/[\w]+:[\w:]+/g, '');
  const words = bare.match(/\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b|\bup\b/g) ?? [];
  return words.filter((word) => !otherWords.test(word));
}

const panels = dashboards.flatMap(({ title, rows }) =>
  rows.flatMap((row) => row.panels.map((panel) => ({ name: `${title}, ${panel.title}`, queries: panel.queries }))),
);

/** Rejects with the metrics of rules and panels that no running part of the suite has. */
export async function checkMetrics(world: World): Promise<string> {
  const live = new Set(await ask<string[]>(world, 'label/__name__/values'));
  const exprs = [
    ...ruleGroups().flatMap(({ rules }) => rules.map(({ expr }) => expr)),
    ...panels.flatMap(({ queries }) => queries.map(({ expr }) => expr)),
  ];
  const wanted = new Set(exprs.flatMap(metricsIn));
  // kubelet exists only on Kubernetes
  const missing = [...wanted].filter((name) => !live.has(name) && !/^(ALERTS$|kubelet_)/.test(name));
  if (missing.length > 0) throw new Error(`nothing has ${missing.join(', ')}`);
  return `${wanted.size} metrics of rules and panels`;
}

/** The main flow has run many times by then; a recorded series and a slow scrape take a few seconds more. */
const patienceMs = 30_000;

/** Rejects with the panels of which a query returns no number, although the main flow has run. */
export async function checkPanels(world: World): Promise<string> {
  const deadline = performance.now() + patienceMs;
  let empty = await withoutData(world);
  while (empty.length > 0 && performance.now() < deadline) {
    await delay(1_000);
    empty = await withoutData(world);
  }
  if (empty.length > 0) throw new Error(`no data: ${empty.join('; ')}`);
  return `${panels.length} panels have data`;
}

async function withoutData(world: World): Promise<string[]> {
  const empty: string[] = [];
  for (const { name, queries } of panels) {
    for (const { expr } of queries) {
      const query = expr.replaceAll('$__rate_interval', '2m');
      const { result } = await ask<{ result: { value: [number, string] }[] }>(world, 'query', { query });
      if (!result.some(({ value }) => value[1] !== 'NaN')) empty.push(`${name}: ${expr}`);
    }
  }
  return empty;
}

async function ask<T>({ ports }: World, path: string, parameters: Record<string, string> = {}): Promise<T> {
  const url = `http://127.0.0.1:${ports.prometheus}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`;
  const { data, error } = (await (await fetch(url)).json()) as { data: T; error?: string };
  if (error !== undefined) throw new Error(`${JSON.stringify(parameters)}: ${error}`);
  return data;
}
