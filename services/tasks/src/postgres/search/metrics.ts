import type { Database } from '@taskwire/postgres';
import { measuredGauge, type Telemetry } from '@taskwire/telemetry';
import { readCurrency } from './follow.ts';

/** Measures how far the search is behind the tasks and comments, on each scrape. */
export function observeSearch({ pool }: Database, telemetry: Telemetry): void {
  measuredGauge(telemetry, {
    name: 'tasks_search_lag_seconds',
    help: 'How far the text search is behind the changes of tasks and comments; 0 when it has them all. For a moment after a pause: the pause.',
    measure: async (gauge) => gauge.set((await readCurrency(pool)).lagSeconds),
    failure: 'could not measure the lag of the search',
  });
}
