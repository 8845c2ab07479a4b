import type { Queryable } from '@taskwire/postgres';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { DeliveryTelemetry } from '../app/deliver.ts';
import type { OpenDeliveries } from '../app/delivery-log.ts';
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
  new Gauge({
    name: 'notifications_deliveries_oldest_seconds',
    help: 'Age of the oldest unfinished delivery, by channel and state; 0 if there is none.',
    labelNames: ['channel', 'state'],
    registers: [metrics],
    async collect() {
      show(this, await open(), ({ oldestSeconds }) => oldestSeconds);
    },
  });
  new Gauge({
    name: 'notifications_deliveries',
    help: 'Deliveries that are unfinished or whose outcome is unknown, by channel and state.',
    labelNames: ['channel', 'state'],
    registers: [metrics],
    async collect() {
      show(this, await open(), ({ count }) => count);
    },
  });

  let reading: Promise<OpenDeliveries[] | undefined> | undefined;
  /** Both gauges of a scrape share one query. */
  async function open(): Promise<OpenDeliveries[] | undefined> {
    reading ??= readOpenDeliveries(db)
      .catch(() => undefined)
      .finally(() => (reading = undefined));
    return await reading;
  }

  return (channel, outcome, age) => {
    attempts.inc({ channel, outcome });
    if (outcome === 'sent') seconds.observe({ channel }, age);
  };
}

/** The states of an open delivery. Each is shown from the start, so that an alert that compares it finds a value. */
const openStates = ['pending', 'sending', 'unknown'];

function show(
  gauge: Gauge,
  deliveries: readonly OpenDeliveries[] | undefined,
  valueOf: (of: OpenDeliveries) => number,
): void {
  gauge.reset();
  if (deliveries === undefined) return;
  for (const state of openStates) gauge.set({ channel: 'email', state }, 0);
  for (const one of deliveries) gauge.set({ channel: one.channel, state: one.state }, valueOf(one));
}
