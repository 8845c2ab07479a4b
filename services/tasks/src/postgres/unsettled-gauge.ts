import { Gauge } from 'prom-client';
import type { Queryable } from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import type { Settling } from './locks.ts';

/** Counts the tasks to be reassigned, on each scrape. Alert when `stranded` stays above 0. */
export function observeUnsettled(db: Queryable, { countUnsettled }: Settling, { metrics, logger }: Telemetry): void {
  new Gauge({
    name: 'tasks_unsettled',
    help: 'Tasks without somebody to do them: stranded have a performer who cannot, awaiting are drafts that wait for one.',
    labelNames: ['why'],
    registers: [metrics],
    async collect() {
      try {
        const { stranded, awaiting } = await countUnsettled(db);
        this.set({ why: 'stranded' }, stranded);
        this.set({ why: 'awaiting' }, awaiting);
      } catch (error) {
        // an unavailable database must not fail the whole scrape
        logger.warn('the unsettled tasks could not be counted', { error });
      }
    },
  });
}
