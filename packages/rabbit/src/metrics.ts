import { metricsOnce } from '@taskwire/telemetry';
import { Counter, Gauge } from 'prom-client';

export const rabbitMetrics = metricsOnce((registry) => {
  const registers = [registry];
  return {
    connectionUp: new Gauge({
      name: 'rabbit_connection_up',
      help: 'Whether the connection is established.',
      labelNames: ['connection'],
      registers,
    }),
    connectionBlocked: new Gauge({
      name: 'rabbit_connection_blocked',
      help: 'Whether the broker has stopped reading from the connection.',
      labelNames: ['connection'],
      registers,
    }),
    connectionsLost: new Counter({
      name: 'rabbit_connections_lost_total',
      help: 'Connections that were lost or could not be established.',
      labelNames: ['connection'],
      registers,
    }),
    channelUp: new Gauge({
      name: 'rabbit_channel_up',
      help: 'Whether the channel works: `publish`, or a queue that is consumed.',
      labelNames: ['channel'],
      registers,
    }),
    published: new Counter({
      name: 'rabbit_published_total',
      help: 'Publishes by outcome.',
      labelNames: ['outcome'],
      registers,
    }),
    publishesInFlight: new Gauge({
      name: 'rabbit_publishes_in_flight',
      help: 'Messages written and not yet confirmed.',
      registers,
    }),
    topologyLost: new Counter({
      name: 'rabbit_topology_lost_total',
      help: 'Queues and bindings (kind) that disappeared while the process used them, and were declared again. Alert when it rises: messages were lost.',
      labelNames: ['kind', 'queue'],
      registers,
    }),
    topologyOk: new Gauge({
      name: 'rabbit_topology_ok',
      help: 'Whether exchanges, queues and bindings could be declared when they were last verified. Alert when it stays 0.',
      registers,
    }),
    missingPolicyKeys: new Gauge({
      name: 'rabbit_missing_policy_keys',
      help: "Keys of a queue's policy that are missing or have the wrong value; NaN while the broker cannot be queried. Alert when not 0.",
      labelNames: ['queue'],
      registers,
    }),
    deliveries: new Counter({
      name: 'rabbit_deliveries_total',
      help: 'Deliveries by queue and outcome.',
      labelNames: ['queue', 'outcome'],
      registers,
    }),
  };
});
