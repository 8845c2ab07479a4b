import { metricsOnce } from '@taskwire/telemetry';
import { Counter, Gauge, Histogram } from 'prom-client';

export type InboxMetrics = ReturnType<typeof inboxMetrics>;

export const inboxMetrics = metricsOnce((registry) => {
  const registers = [registry];
  return {
    messages: new Counter({
      name: 'inbox_messages_total',
      help: 'Messages by handler and outcome: done, duplicate, ignored, waiting, retry, dead, suspect.',
      labelNames: ['handler', 'outcome'],
      registers,
    }),
    duration: new Histogram({
      name: 'inbox_handle_seconds',
      help: 'Duration of each attempt of a handler.',
      labelNames: ['handler'],
      // from the duration of one statement up to the timeout of a handler
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 30],
      registers,
    }),
    lag: new Histogram({
      name: 'inbox_lag_seconds',
      help: 'Time from the event to the completion of its handler.',
      labelNames: ['handler'],
      // 2 is the limit of the objective
      buckets: [0.1, 0.25, 0.5, 1, 2, 5, 15, 60, 300, 1800, 7200],
      registers,
    }),
    pending: new Gauge({
      name: 'inbox_pending_messages',
      help: 'Recorded messages by state: retry, waiting, dead (blocking others); counted up to 10,000.',
      labelNames: ['state'],
      registers,
    }),
    deadLetters: new Gauge({
      name: 'inbox_dead_letters',
      help: 'Dead letters that are not resolved, counted up to 10,000. Alert when not 0.',
      registers,
    }),
  };
});
