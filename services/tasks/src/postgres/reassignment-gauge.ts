import { measuredGauge, type Telemetry } from '@taskwire/telemetry';
import type { ReassignmentCounts } from './locks.ts';

/** Counts the tasks to be reassigned, on each scrape. While `orphaned` stays above 0, the reassignment fails. */
export function observeAwaitingReassignment(count: () => Promise<ReassignmentCounts>, telemetry: Telemetry): void {
  measuredGauge(telemetry, {
    name: 'tasks_awaiting_reassignment',
    help: 'Tasks without a performer. Reason orphaned: open tasks whose assignee is not a performer; awaiting: drafts that await a performer.',
    labelNames: ['reason'],
    async measure(gauge) {
      const { orphaned, awaiting } = await count();
      gauge.set({ reason: 'orphaned' }, orphaned);
      gauge.set({ reason: 'awaiting' }, awaiting);
    },
    failure: 'could not count the tasks that await reassignment',
  });
}
