import type { Alert } from './alert.ts';
import { service } from './causes.ts';

const eventQueues = '{queue=~"(tasks|notifications)[.]events.*"}';

/** Whichever consumer does not take or finish messages, the broker still has them, and no process has acknowledged one. */
const stuckQueues =
  `sum by (namespace, queue) (rabbitmq_detailed_queue_messages${eventQueues}) > 0 ` +
  'unless on (namespace, queue) sum by (namespace, queue) (increase(rabbit_deliveries_total{outcome="acked"}[5m])) > 0';
/** A queue that does not exist has no messages, but its service cannot consume from it. */
const detachedConsumers = 'max by (namespace, service, channel) (rabbit_channel_up{channel!="publish"}) == 0';

const databaseClaims = '{persistentvolumeclaim=~"(auth|tasks|notifications)-postgres-.+"}';

const unknownMails = 'max by (namespace, service, channel) (notifications_deliveries{state="unknown"})';

/** Symptoms of a running suite that need a person, besides the objectives. */
export const symptoms: readonly Alert[] = [
  {
    name: 'OutboxIsLate',
    expr: 'max by (namespace, service) (outbox_oldest_age_seconds) > 30',
    for: '1m',
    severity: 'page',
    causes: ['broker', 'postgres', 'service'],
    summary: `Events of ${service} have waited for more than 30 s to be published`,
  },
  {
    name: 'OutboxHasNoLeader',
    expr: 'sum by (namespace, service) (outbox_relay_leader) != max by (namespace, service) (event_partitions)',
    for: '1m',
    severity: 'page',
    causes: ['broker', 'postgres', 'service'],
    summary: `${service} does not have exactly one process that publishes the events of each partition`,
    because: 'a standby takes over within 5 s',
  },
  {
    name: 'EventsAreBlocked',
    expr: 'max by (namespace, service) (outbox_blocked_rows) > 0',
    for: '5m',
    severity: 'ticket',
    causes: ['broker'],
    summary: `Events of ${service} cannot be published; the log names the first one and the reason`,
    because: 'the relay retries a refused event after at most a minute',
  },
  {
    name: 'InboxIsLate',
    expr: 'histogram_quantile(0.99, sum by (namespace, service, le) (rate(inbox_lag_seconds_bucket[5m]))) > 60',
    for: '5m',
    severity: 'ticket',
    causes: ['broker', 'postgres', 'service'],
    summary: `${service} handles 1 % of events more than a minute after they happened`,
  },
  {
    name: 'InboxIsStuck',
    expr: [
      `max by (namespace, service) (label_replace(${stuckQueues}, "service", "$1", "queue", "([^.]*).*"))`,
      `max by (namespace, service) (${detachedConsumers})`,
    ].join('\nor\n'),
    for: '5m',
    severity: 'ticket',
    causes: ['broker', 'postgres', 'service'],
    summary: `${service} handles no events: they wait in its queue, or it cannot consume from it`,
    because: 'a standby takes over a queue within 20 s, and a handler ends after 30 s; one message may wait for both',
  },
  {
    name: 'BrokerDefinitionsAreLost',
    expr: [
      'sum by (namespace, service) (increase(rabbit_topology_lost_total[1h])) > 0',
      'max by (namespace, service) (rabbit_missing_policy_keys) > 0',
      'min by (namespace, service) (rabbit_topology_ok) == 0',
    ].join('\nor\n'),
    for: '5m',
    severity: 'ticket',
    causes: ['broker'],
    summary: `Queues, bindings, policies or exchanges of ${service} are missing in RabbitMQ, or were missing in the last hour`,
    because:
      'services restore their queues and bindings within 30 s, but not the messages; the operator creates the rest',
  },
  {
    name: 'DeadLetters',
    expr: 'max by (namespace, service) (inbox_dead_letters) > 0',
    severity: 'ticket',
    summary: `${service} has dead letters; see taskwire dead-letters list`,
  },
  {
    name: 'UserDirectoryDrift',
    expr: 'sum by (namespace, service) (increase(user_directory_drift_total[1h]) + increase(user_directory_missed_users_total[1h])) > 0',
    severity: 'ticket',
    summary: `The copy of users in ${service} differed from Auth, and was repaired`,
  },
  {
    name: 'SchedulesAreLate',
    expr: 'max by (namespace, service) (schedule_lag_seconds) > 10',
    for: '1m',
    severity: 'ticket',
    causes: ['postgres', 'service'],
    summary: 'Schedules have been due for more than 10 s, and have not run',
  },
  {
    name: 'RemindersAreLate',
    expr: 'max by (namespace, service) (tasks_reminders_late_seconds) > 2',
    for: '1m',
    severity: 'ticket',
    causes: ['postgres', 'service'],
    summary: 'Reminders of due dates are more than 2 s late',
  },
  {
    name: 'SyncIsBehind',
    expr: 'max by (namespace, service) (tasks_sync_age_seconds) > 10',
    for: '1m',
    severity: 'ticket',
    causes: ['postgres', 'service'],
    summary: "Clients' copies of tasks have been more than 10 s behind for a minute",
    because:
      'only a transaction that writes tasks or users for long delays the feeds, and a shuffle of many tasks takes seconds',
  },
  {
    name: 'SearchIsBehind',
    expr: 'max by (namespace, service) (tasks_search_lag_seconds) > 20',
    for: '1m',
    severity: 'ticket',
    causes: ['postgres', 'service'],
    summary: 'The search has been more than 20 s behind the tasks and comments for a minute',
    because:
      'it is usually at most 2 s behind; for a moment after a pause, the metric is the length of the pause, but not in scrapes 15 s apart',
  },
  {
    name: 'JobsWait',
    expr: 'max by (namespace, service, queue) (jobs_oldest_queued_seconds) > 3600',
    severity: 'ticket',
    causes: ['postgres', 'service'],
    summary: 'Jobs of the queue {{ $labels.queue }} have been due for more than an hour, and no worker has taken them',
    because: 'workers elsewhere may be started only when needed, and a full concurrency key is no fault',
  },
  {
    name: 'JobsAreDead',
    expr: 'max by (namespace, service, queue) (jobs{state="dead"}) > 0',
    severity: 'ticket',
    summary: 'Jobs of the queue {{ $labels.queue }} failed permanently, and wait for a decision',
  },
  {
    name: 'LeasesExpire',
    expr: 'sum by (namespace, service, queue) (increase(jobs_reaped_total[1h])) > 10',
    severity: 'ticket',
    causes: ['postgres', 'gateway', 'service'],
    summary:
      'Workers of the queue {{ $labels.queue }} lost more than ten leases in an hour: they die, hang, or cannot extend them',
    because: 'a deployment or a crash ends the leases of a single worker',
  },
  {
    name: 'MailsAreLate',
    expr: 'max by (namespace, service) (notifications_deliveries_oldest_seconds) > 3600',
    severity: 'ticket',
    summary: 'Mails have waited for more than an hour to be accepted by the mail server',
  },
  {
    name: 'MailsAreUnknown',
    // deliveries stay unknown until retention deletes them, so only new ones are worth a ticket; `max by` outlives a process that ends
    expr: `${unknownMails} > min_over_time(${unknownMails}[1h:])`,
    severity: 'ticket',
    summary: 'It is unknown whether mails of the last hour have arrived; they are not sent again',
  },
  {
    name: 'RetentionIsOverdue',
    expr: 'max by (namespace, service) (retention_overdue_seconds) > 86400',
    severity: 'ticket',
    summary: `${service} keeps rows for a day longer than docs/retention.md says`,
    because: 'retention runs every hour, and a day is enough to process the largest table',
  },
  {
    name: 'SigningKeyIsOld',
    expr: 'min by (namespace, service) (auth_signing_key_age_seconds - auth_signing_key_rotation_seconds) > 86400',
    severity: 'ticket',
    summary: 'Auth signs tokens with a key that it should have replaced a day ago',
    because: 'the next key is published when the rotation is due, and signs 15 minutes later',
  },
  {
    name: 'ArchiveIsFailing',
    expr: 'max by (namespace, service) (database_archive_failing) > 0',
    for: '15m',
    severity: 'ticket',
    summary: 'PostgreSQL cannot archive its log: a restore would lose the changes since then, and its disk fills up',
    because: 'the object storage of backups may be unavailable for minutes',
  },
  {
    name: 'BackupIsOld',
    expr: 'min by (namespace, service) (database_backup_age_seconds) > 129600',
    severity: 'ticket',
    summary: 'PostgreSQL has had no backup for more than 36 hours',
    because: 'a backup is made every day, and takes hours for a large database',
  },
  {
    name: 'DatabaseDiskIsLow',
    expr: [
      'min by (namespace) (database_disk_free_bytes - database_disk_limit_bytes) < 0',
      // on Kubernetes, kubelet measures the volumes
      `min by (namespace, persistentvolumeclaim) (kubelet_volume_stats_available_bytes${databaseClaims} / kubelet_volume_stats_capacity_bytes${databaseClaims}) < 0.2`,
    ].join('\nor\n'),
    for: '5m',
    severity: 'ticket',
    summary: 'PostgreSQL has little disk space left, and will refuse writes when there is none',
  },
  {
    name: 'BrokerDiskIsLow',
    expr: 'min by (namespace) (rabbitmq_disk_space_available_bytes - 3 * rabbitmq_disk_space_available_limit_bytes) < 0',
    for: '5m',
    severity: 'ticket',
    summary: 'RabbitMQ has little disk space left, and will block publishers when it reaches its limit',
  },
];
