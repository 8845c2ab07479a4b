import { metricsOnce, type Telemetry } from '@taskwire/telemetry';
import { Counter, Gauge } from 'prom-client';
import type { Database } from './handles.ts';
import type { RetentionRule } from './retention-rule.ts';

/** Rules run at intervals of minutes, so more frequent queries would show nothing new; scrapes within this time get the same values. */
const freshMs = 60_000;

type Observed = { db: Database; rules: readonly RetentionRule[]; telemetry: Telemetry };

const retentionMetrics = metricsOnce((registry) => {
  const registers = [registry];
  const observed: Observed[] = [];
  let measuredAt = -Infinity;
  const processed = new Counter({
    name: 'retention_rows_total',
    help: 'Rows deleted or erased because their retention has ended, by rule of docs/retention.md.',
    labelNames: ['rule'],
    registers,
  });
  new Gauge({
    name: 'retention_overdue_seconds',
    help: 'Time since the oldest row that is left should have been deleted or erased, by rule of docs/retention.md; 0 if none is due. Alert above a day.',
    labelNames: ['rule'],
    registers,
    // measured here and not by the loop that runs the rules: a hanging loop would keep reporting its last good value
    async collect() {
      if (performance.now() - measuredAt < freshMs) return;
      measuredAt = performance.now();
      for (const { db, rules, telemetry } of observed) {
        try {
          for (const rule of rules) this.set({ rule: rule.name }, await rule.overdueSeconds(db));
        } catch (error) {
          // an unavailable database must not fail the whole scrape
          telemetry.logger.warn('could not measure the retention', { error });
        }
      }
    },
  });
  return {
    processed,
    observe(one: Observed) {
      observed.push(one);
      measuredAt = -Infinity;
    },
  };
});

/** Registers the metrics of rules: every rule is counted from 0, and measured when metrics are read. */
export function observeRetention(telemetry: Telemetry, { db, rules }: Omit<Observed, 'telemetry'>) {
  const { processed, observe } = retentionMetrics(telemetry.metrics);
  for (const { name } of rules) processed.inc({ rule: name }, 0);
  observe({ db, rules, telemetry });
  return { processed };
}
