import { Gauge } from 'prom-client';
import { query, type Queryable } from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import { countUnsettled } from './locks.ts';

/** Tasks that are not where they should be, counted with each scrape: alert when `stranded` stays above 0. */
export function observeUnsettled(db: Queryable, { metrics, logger }: Telemetry): void {
  new Gauge({
    name: 'tasks_unsettled',
    help: 'Tasks without somebody to do them: stranded have a performer who cannot, awaiting are drafts that wait for one.',
    labelNames: ['why'],
    registers: [metrics],
    async collect() {
      try {
        const [counts] = await query<{ stranded: number; awaiting: number }>(db, countUnsettled);
        this.set({ why: 'stranded' }, counts?.stranded ?? 0);
        this.set({ why: 'awaiting' }, counts?.awaiting ?? 0);
      } catch (error) {
        // a scrape must not fail as a whole because the database is away
        logger.warn('the unsettled tasks could not be counted', { error });
      }
    },
  });
}
