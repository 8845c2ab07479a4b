import type { Database } from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import { Gauge } from 'prom-client';
import { readCurrency } from './follow.ts';

/** Measures how far the search is behind the tasks and comments, on each scrape. */
export function observeSearch({ pool }: Database, { metrics, logger }: Telemetry): void {
  new Gauge({
    name: 'tasks_search_lag_seconds',
    help: 'How far the text search is behind the changes of tasks and comments; 0 when it has them all. For a moment after a pause: the pause.',
    registers: [metrics],
    async collect() {
      try {
        this.set((await readCurrency(pool)).lagSeconds);
      } catch (error) {
        // an unavailable database must not fail the whole scrape
        logger.warn('could not measure the lag of the search', { error });
      }
    },
  });
}
