import type { Telemetry } from '@taskwire/telemetry';
import { Counter, Gauge, Histogram } from 'prom-client';
import type { BreakerState } from './breaker.ts';

/** The metrics of one client; all have the label `client`. */
export type ClientMetrics = {
  /** Records one call, including its retries. The outcome is the answer's kind, or the reason why it was unavailable. */
  called(outcome: string, seconds: number): void;
  retried(): void;
  breaker(state: BreakerState): void;
  concurrency(running: number, waiting: number): void;
};

const stateValue: Record<BreakerState, number> = { closed: 0, half_open: 1, open: 2 };

/** Buckets from a fast read on the same machine (1 ms) to the longest deadline (10 s). */
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createClientMetrics({ metrics }: Telemetry, client: string): ClientMetrics {
  const shared = { registers: [metrics] };
  const calls = once(
    metrics,
    'http_client_calls_total',
    (name) =>
      new Counter({ name, help: 'Calls to other services by outcome.', labelNames: ['client', 'outcome'], ...shared }),
  );
  const duration = once(
    metrics,
    'http_client_call_duration_seconds',
    (name) =>
      new Histogram({
        name,
        help: 'Time of calls to other services, with queueing and retries.',
        labelNames: ['client'],
        buckets,
        ...shared,
      }),
  );
  const retries = once(
    metrics,
    'http_client_retries_total',
    (name) => new Counter({ name, help: 'Requests that repeated one that failed.', labelNames: ['client'], ...shared }),
  );
  const breaker = once(
    metrics,
    'http_client_breaker_state',
    (name) =>
      new Gauge({ name, help: 'The breaker: 0 closed, 1 half open, 2 open.', labelNames: ['client'], ...shared }),
  );
  const concurrency = once(
    metrics,
    'http_client_requests',
    (name) =>
      new Gauge({
        name,
        help: 'Requests to other services that run, or wait for a place to run.',
        labelNames: ['client', 'state'],
        ...shared,
      }),
  );
  breaker.set({ client }, stateValue.closed);
  return {
    called(outcome, seconds) {
      calls.inc({ client, outcome });
      duration.observe({ client }, seconds);
    },
    retried: () => retries.inc({ client }),
    breaker: (state) => breaker.set({ client }, stateValue[state]),
    concurrency(running, waiting) {
      concurrency.set({ client, state: 'running' }, running);
      concurrency.set({ client, state: 'waiting' }, waiting);
    },
  };
}

/** Creates a metric once per registry: a service has several clients, which share one set of metrics. */
function once<M>(registry: Telemetry['metrics'], name: string, create: (name: string) => M): M {
  return (registry.getSingleMetric(name) as M | undefined) ?? create(name);
}
