export type Alert = {
  name: string;
  /** PromQL. Its result keeps the label `service`, which every metric of a service has. */
  expr: string;
  /** How long the condition holds before the alert fires. Without it, the alert fires at the next evaluation. */
  for?: string;
  severity: 'page' | 'ticket';
  /** One sentence for the person on call. */
  summary: string;
  /** The heading of the documentation that says what to do. */
  runbook: string;
  /** The reason for the limit or the time. */
  because?: string;
};

/** A service in a summary. */
const service = '{{ $labels.service }}';

/** The alerts of a running suite: symptoms that need a person. `npm run generate` writes them for Prometheus and for its operator on Kubernetes. */
export const alerts: readonly Alert[] = [
  {
    name: 'OutboxIsLate',
    expr: 'max by (namespace, service) (outbox_oldest_age_seconds) > 30',
    for: '1m',
    severity: 'page',
    summary: `Events of ${service} have waited for more than 30 s to be published`,
    runbook: 'docs/runbooks/failover.md#rabbitmq',
  },
  {
    name: 'OutboxHasNoLeader',
    expr: 'sum by (namespace, service) (outbox_relay_leader) != max by (namespace, service) (event_partitions)',
    for: '1m',
    severity: 'page',
    summary: `${service} does not have exactly one process that publishes the events of each partition`,
    runbook: 'docs/operations.md#what-to-watch',
    because: 'a standby takes over within 5 s',
  },
  {
    name: 'EventsAreBlocked',
    expr: 'max by (namespace, service) (outbox_blocked_rows) > 0',
    for: '5m',
    severity: 'ticket',
    summary: `Events of ${service} cannot be published; the log names the first one and the reason`,
    runbook: 'docs/runbooks/broker-definitions.md#lost-broker-definitions',
    because: 'the relay retries a refused event after at most a minute',
  },
  {
    name: 'BrokerBlocksPublishers',
    expr: 'max by (namespace, service) (rabbit_connection_blocked) > 0',
    for: '1m',
    severity: 'page',
    summary: `RabbitMQ accepts no events from ${service}: its memory or disk is low`,
    runbook: 'docs/runbooks/disk-full.md#rabbitmq',
  },
  {
    name: 'InboxIsLate',
    expr: 'histogram_quantile(0.99, sum by (namespace, service, le) (rate(inbox_lag_seconds_bucket[5m]))) > 60',
    for: '5m',
    severity: 'ticket',
    summary: `${service} handles 1 % of events more than a minute after they happened`,
    runbook: 'docs/scaling.md#partitions',
  },
  {
    name: 'DeadLetters',
    expr: 'max by (namespace, service) (inbox_dead_letters) > 0',
    severity: 'ticket',
    summary: `${service} has dead letters; see taskwire dead-letters list`,
    runbook: 'docs/runbooks/dead-letters.md#dead-letters',
  },
  {
    name: 'UserDirectoryDrift',
    expr: 'sum by (namespace, service) (increase(user_directory_drift_total[1h])) > 0',
    severity: 'ticket',
    summary: `The copy of users in ${service} differed from Auth, and was repaired`,
    runbook: 'docs/operations.md#what-to-watch',
  },
  {
    name: 'SchedulesAreLate',
    expr: 'max by (namespace, service) (schedule_lag_seconds) > 10',
    for: '1m',
    severity: 'ticket',
    summary: 'Schedules have been due for more than 10 s, and have not run',
    runbook: 'docs/operations.md#what-to-watch',
  },
  {
    name: 'RemindersAreLate',
    expr: 'max by (namespace, service) (tasks_reminders_late_seconds) > 2',
    for: '1m',
    severity: 'ticket',
    summary: 'Reminders of due dates are more than 2 s late',
    runbook: 'docs/operations.md#what-to-watch',
  },
  {
    name: 'MailsAreLate',
    expr: 'max by (namespace, service) (notifications_deliveries_oldest_seconds) > 3600',
    severity: 'ticket',
    summary: 'Mails have waited for more than an hour to be accepted by the mail server',
    runbook: 'docs/operations.md#what-to-watch',
  },
  {
    name: 'RetentionIsOverdue',
    expr: 'max by (namespace, service) (retention_overdue_seconds) > 86400',
    severity: 'ticket',
    summary: `${service} keeps rows for a day longer than docs/retention.md says`,
    runbook: 'docs/retention.md#retention',
    because: 'retention runs every hour, and a day is enough to process the largest table',
  },
];
