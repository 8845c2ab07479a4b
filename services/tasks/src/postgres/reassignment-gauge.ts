import { Gauge } from 'prom-client';
import type { Telemetry } from '@taskwire/telemetry';
import type { ReassignmentCounts } from './locks.ts';

/** Counts the tasks to be reassigned, on each scrape. Alert when `orphaned` stays above 0. */
export function observeAwaitingReassignment(
  count: () => Promise<ReassignmentCounts>,
  { metrics, logger }: Telemetry,
): void {
  new Gauge({
    name: 'tasks_awaiting_reassignment',
    help: 'Tasks without a performer. Reason orphaned: open tasks whose assignee is not a performer; awaiting: drafts that await a performer.',
    labelNames: ['reason'],
    registers: [metrics],
    async collect() {
      try {
        const { orphaned, awaiting } = await count();
        this.set({ reason: 'orphaned' }, orphaned);
        this.set({ reason: 'awaiting' }, awaiting);
      } catch (error) {
        // an unavailable database must not fail the whole scrape
        logger.warn('could not count the tasks that await reassignment', { error });
      }
    },
  });
}
