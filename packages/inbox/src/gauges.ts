import { createLoop, type Loop } from '@taskwire/lifecycle';
import { query, type Database } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';
import type { InboxMetrics } from './metrics.ts';

/** A common scrape interval. */
const everyMs = 15_000;

const countPending = `
  SELECT state, count(*)::integer AS count FROM (SELECT state FROM inbox_pending LIMIT 10000) AS bounded GROUP BY state`;
const countDead = `
  SELECT count(*)::integer AS count FROM (SELECT FROM dead_letters WHERE state = 'dead' LIMIT 10000) AS bounded`;

/** Keeps the gauges of recorded messages and dead letters up to date. */
export function createGauges({ db, metrics, logger }: { db: Database; metrics: InboxMetrics; logger: Logger }): Loop {
  return createLoop({
    name: 'inbox gauges',
    intervalMs: everyMs,
    logger,
    async tick() {
      const counts = new Map([
        ['retry', 0],
        ['waiting', 0],
        ['dead', 0],
      ]);
      for (const row of await query<{ state: string; count: number }>(db.pool, countPending))
        counts.set(row.state, row.count);
      for (const [state, count] of counts) metrics.pending.set({ state }, count);
      const [dead] = await query<{ count: number }>(db.pool, countDead);
      metrics.deadLetters.set(dead?.count ?? 0);
      return 'idle';
    },
  });
}
