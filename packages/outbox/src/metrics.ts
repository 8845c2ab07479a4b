import type { Partition } from '@taskwire/partitions';
import { metricsOnce } from '@taskwire/telemetry';
import { Counter, Gauge } from 'prom-client';

export const outboxMetrics = metricsOnce((registry) => {
  const registers = [registry];
  return {
    leader: new Gauge({
      name: 'outbox_relay_leader',
      help: 'Whether this process is the leader of the outbox, or of a partition of it. Alert when the sum over all processes is not event_partitions.',
      labelNames: ['partition'],
      registers,
    }),
    rows: new Gauge({
      name: 'outbox_rows',
      help: 'Approximate number of rows to be published, as reported by the leader; 0 elsewhere.',
      labelNames: ['partition'],
      registers,
    }),
    blocked: new Gauge({
      name: 'outbox_blocked_rows',
      help: 'Rows that could not be published and rows blocked by them, counted up to 10,000. Alert when not 0.',
      labelNames: ['partition'],
      registers,
    }),
    oldestAge: new Gauge({
      name: 'outbox_oldest_age_seconds',
      help: 'Age of the oldest row that is not published.',
      labelNames: ['partition'],
      registers,
    }),
    published: new Counter({ name: 'outbox_published_total', help: 'Rows published and confirmed.', registers }),
    returned: new Counter({
      name: 'outbox_returned_total',
      help: 'Publishes that were routed to no queue, because a binding is missing. Their rows are among outbox_blocked_rows.',
      registers,
    }),
    failures: new Counter({
      name: 'outbox_failures_total',
      help: 'Publishes after which a row blocked its aggregate.',
      labelNames: ['reason'],
      registers,
    }),
  };
});

/** The labels of a relay's gauges: the partition, if there are several. */
export function partitionLabels({ index, count }: Partition): { partition?: string } {
  return count === 1 ? {} : { partition: String(index) };
}
