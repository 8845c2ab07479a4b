import type { Queryable } from '@taskwire/postgres';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { DeliveryTelemetry } from '../app/deliver.ts';
import { readOpenDeliveries } from './deliveries.ts';

/**
 * Registers the delivery metrics. Each scrape queries the open deliveries; while that fails, the gauges have no values
 * and all other metrics are still reported.
 */
export function deliveryMetrics(metrics: Registry, db: Queryable): DeliveryTelemetry['ended'] {
  const attempts = new Counter({
    name: 'notifications_delivery_attempts_total',
    help: 'Attempts to deliver, by channel and outcome.',
    labelNames: ['channel', 'outcome'],
    registers: [metrics],
  });
  const seconds = new Histogram({
    name: 'notifications_delivery_seconds',
    help: 'Time from handling the event to sending the delivery.',
    labelNames: ['channel'],
    // from immediate delivery to an outage that lasts hours
    buckets: [0.1, 0.5, 1, 5, 30, 120, 600, 3600, 14_400],
    registers: [metrics],
  });
  const oldest = new Gauge({
    name: 'notifications_deliveries_oldest_seconds',
    help: 'Age of the oldest unfinished delivery, by channel and state.',
    labelNames: ['channel', 'state'],
    registers: [metrics],
  });
  new Gauge({
    name: 'notifications_deliveries',
    help: 'Deliveries that are unfinished or whose outcome is unknown, by channel and state.',
    labelNames: ['channel', 'state'],
    registers: [metrics],
    async collect() {
      const open = await readOpenDeliveries(db).catch(() => []);
      this.reset();
      oldest.reset();
      for (const { channel, state, count, oldestSeconds } of open) {
        this.set({ channel, state }, count);
        oldest.set({ channel, state }, oldestSeconds);
      }
    },
  });
  return (channel, outcome, age) => {
    attempts.inc({ channel, outcome });
    if (outcome === 'sent') seconds.observe({ channel }, age);
  };
}
