import { metricsOnce, type Telemetry } from '@taskwire/telemetry';
import { Counter, Gauge, Histogram } from 'prom-client';
import type { BreakerState } from './breaker.ts';

/** The metrics of one client; all have the label `client`. */
export type ClientMetrics = {
  /** Records one call, including its retries. The outcome is the kind of its result, or the reason why the service was unavailable. */
  called(outcome: string, seconds: number): void;
  retried(): void;
  breaker(state: BreakerState): void;
  concurrency(running: number, waiting: number): void;
};

const stateValue: Record<BreakerState, number> = { closed: 0, half_open: 1, open: 2 };

/** Buckets from a fast read on the same machine (1 ms) to the longest deadline (10 s). */
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A service has several clients, which share one set of metrics. */
const clientMetrics = metricsOnce((registry) => {
  const registers = [registry];
  return {
    calls: new Counter({
      name: 'http_client_calls_total',
      help: 'Calls to other services by outcome.',
      labelNames: ['client', 'outcome'],
      registers,
    }),
    duration: new Histogram({
      name: 'http_client_call_duration_seconds',
      help: 'Duration of calls to other services, including queueing and retries.',
      labelNames: ['client'],
      buckets,
      registers,
    }),
    retries: new Counter({
      name: 'http_client_retries_total',
      help: 'Retries of failed requests.',
      labelNames: ['client'],
      registers,
    }),
    breaker: new Gauge({
      name: 'http_client_breaker_state',
      help: 'The breaker: 0 closed, 1 half open, 2 open.',
      labelNames: ['client'],
      registers,
    }),
    concurrency: new Gauge({
      name: 'http_client_requests',
      help: 'Requests to other services that are running or waiting for a slot.',
      labelNames: ['client', 'state'],
      registers,
    }),
  };
});

export function createClientMetrics({ metrics }: Telemetry, client: string): ClientMetrics {
  const { calls, duration, retries, breaker, concurrency } = clientMetrics(metrics);
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
