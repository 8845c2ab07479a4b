import type { Alert } from './alert.ts';

/** The jobs of Prometheus, each with the targets that it scrapes. The alerts need all of them. */
export const jobs = ['auth', 'tasks', 'notifications', 'gateway', 'rabbitmq', 'rabbitmq-queues', 'probe'] as const;

export type Job = (typeof jobs)[number];

/** A service in a summary. */
export const service = '{{ $labels.service }}';

/** Alerts about the parts on which everything else depends, and about scraped processes. */
export const causes: readonly Alert[] = [
  {
    name: 'BrokerIsDown',
    expr: 'max by (namespace) (up{job="rabbitmq"}) == 0 or max by (namespace) (rabbit_connection_up) == 0',
    for: '30s',
    severity: 'page',
    cause: 'broker',
    summary: 'RabbitMQ does not respond: requests succeed, and events wait in the outboxes',
    because: 'a restart takes 20 s, and the heartbeat of a connection ends it after 10 s',
  },
  {
    name: 'BrokerBlocksPublishers',
    expr: 'max by (namespace) (rabbit_connection_blocked) > 0',
    for: '1m',
    severity: 'page',
    cause: 'broker',
    summary: 'RabbitMQ accepts no events: its memory or disk is low',
  },
  {
    name: 'PostgresIsDown',
    expr: 'max by (namespace, service) (database_up) == 0',
    for: '30s',
    severity: 'page',
    cause: 'postgres',
    summary: `The database of ${service} does not respond, or accepts no writes`,
    because: 'a failover takes about 20 s',
  },
  {
    name: 'GatewayIsDown',
    expr: 'max by (namespace) (gateway_up) == 0',
    for: '30s',
    severity: 'page',
    cause: 'gateway',
    summary: 'nginx does not respond: no request reaches a service',
  },
  {
    name: 'ServiceIsDown',
    expr: 'max by (namespace, job) (up{job=~"auth|tasks|notifications"}) == 0',
    for: '30s',
    severity: 'page',
    cause: 'service',
    summary: 'No process of {{ $labels.job }} responds',
    because: 'a restart takes about 5 s, and a rolling update always leaves a process running',
  },
  {
    name: 'TargetIsDown',
    expr: 'up == 0',
    for: '5m',
    severity: 'ticket',
    causes: ['broker', 'service'],
    summary: 'Prometheus cannot scrape {{ $labels.instance }} of {{ $labels.job }}',
    because: 'a rolling update or a restart ends sooner',
  },
  jobIsMissing(jobs),
];

/** `expected`: the jobs that the configuration of Prometheus has. */
export function jobIsMissing(expected: readonly Job[]): Alert {
  return {
    name: 'JobIsMissing',
    expr: expected.map((job) => `absent(up{job="${job}"})`).join(' or '),
    for: '5m',
    severity: 'ticket',
    summary: 'Prometheus has no target of {{ $labels.job }}: alerts about it cannot fire',
  };
}
