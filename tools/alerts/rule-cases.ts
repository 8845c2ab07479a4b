import { jobs } from '../../infra/observability/causes.ts';
import { objectiveRuleCases } from './objective-cases.ts';
import type { RuleCase, Series } from './rule-case.ts';

const service = { service: 'tasks' };

function gauge(
  alert: string,
  series: string,
  quiet: number,
  fault: number,
  labels: Record<string, string> = service,
): RuleCase {
  return { title: '', alert, series: { [series]: { gauge: [quiet, fault] } }, labels };
}

const tasks = '{service="tasks"}';

const stuckTimes = { labels: service, faultMinutes: 20 };
const queued = (queue: string, messages: number): Record<string, Series> => ({
  [`rabbitmq_detailed_queue_messages{vhost="taskwire",queue="${queue}"}`]: { gauge: [0, messages] },
});
const acked = (series: Series): Record<string, Series> => ({
  'rabbit_deliveries_total{service="tasks",queue="tasks.events",outcome="acked"}': series,
});
const consumes = (channel: string): Record<string, Series> => ({
  [`rabbit_channel_up{service="tasks",channel="${channel}"}`]: { gauge: [1, 0] },
});

const stuckCases: readonly RuleCase[] = [
  {
    title: 'while a consumer hangs',
    alert: 'InboxIsStuck',
    series: { ...queued('tasks.events', 3), ...acked({ counter: [5, 0] }) },
    ...stuckTimes,
  },
  {
    title: 'without a worker',
    alert: 'InboxIsStuck',
    series: { ...queued('tasks.events', 3), ...acked({ gauge: [5, undefined] }) },
    ...stuckTimes,
  },
  {
    title: 'without a partition of the queue',
    alert: 'InboxIsStuck',
    series: consumes('tasks.events.1'),
    ...stuckTimes,
  },
  {
    title: 'while the consumer is busy',
    alert: 'InboxIsStuck',
    series: { ...queued('tasks.events', 3), ...acked({ counter: [5, 1] }) },
    never: true,
    ...stuckTimes,
  },
  {
    title: 'by the queue of another system, or by the publisher',
    alert: 'InboxIsStuck',
    series: { ...queued('billing.events', 3), ...consumes('publish') },
    never: true,
    ...stuckTimes,
  },
];

const reports = '{service="tasks",queue="reports"}';
const reportsLabels = { ...service, queue: 'reports' };
const mails = '{service="notifications",channel="email",state="unknown"}';

export const ruleCases: readonly RuleCase[] = [
  gauge('BrokerIsDown', 'up{job="rabbitmq",instance="a"}', 1, 0, {}),
  { ...gauge('BrokerIsDown', `rabbit_connection_up${tasks}`, 1, 0, {}), title: 'seen by the services' },
  gauge('BrokerBlocksPublishers', `rabbit_connection_blocked${tasks}`, 0, 1, {}),
  gauge('PostgresIsDown', `database_up${tasks}`, 1, 0),
  gauge('GatewayIsDown', 'gateway_up', 1, 0, {}),
  gauge('ServiceIsDown', 'up{job="tasks",instance="a"}', 1, 0, { job: 'tasks' }),
  gauge('TargetIsDown', 'up{job="tasks",instance="a"}', 1, 0, { job: 'tasks', instance: 'a' }),
  {
    title: '',
    alert: 'JobIsMissing',
    series: Object.fromEntries(
      jobs.map((job): [string, Series] => [`up{job="${job}"}`, { gauge: [1, job === 'probe' ? undefined : 1] }]),
    ),
    labels: { job: 'probe' },
    faultMinutes: 15,
  },
  ...objectiveRuleCases,
  gauge('OutboxIsLate', `outbox_oldest_age_seconds${tasks}`, 1, 31),
  {
    ...gauge('OutboxHasNoLeader', `outbox_relay_leader${tasks}`, 1, 0),
    series: { [`outbox_relay_leader${tasks}`]: { gauge: [1, 0] }, [`event_partitions${tasks}`]: { gauge: [1, 1] } },
  },
  gauge('EventsAreBlocked', `outbox_blocked_rows${tasks}`, 0, 1),
  {
    title: '',
    alert: 'InboxIsLate',
    labels: service,
    series: {
      'inbox_lag_seconds_bucket{service="tasks",le="60"}': { counter: [100, 0] },
      'inbox_lag_seconds_bucket{service="tasks",le="300"}': { counter: [100, 100] },
      'inbox_lag_seconds_bucket{service="tasks",le="+Inf"}': { counter: [100, 100] },
    },
    faultMinutes: 20,
  },
  ...stuckCases,
  {
    title: 'by a queue',
    alert: 'BrokerDefinitionsAreLost',
    labels: service,
    series: { 'rabbit_topology_lost_total{service="tasks",kind="queue",queue="tasks.events"}': { counter: [0, 1] } },
    quietMinutes: 90,
  },
  {
    ...gauge('BrokerDefinitionsAreLost', 'rabbit_missing_policy_keys{service="tasks",queue="tasks.events"}', 0, 2),
    title: 'by a policy',
  },
  { ...gauge('BrokerDefinitionsAreLost', `rabbit_topology_ok${tasks}`, 1, 0), title: 'by an exchange' },
  gauge('DeadLetters', `inbox_dead_letters${tasks}`, 0, 1),
  {
    title: '',
    alert: 'UserDirectoryDrift',
    labels: service,
    series: {
      [`user_directory_drift_total${tasks}`]: { counter: [0, 1] },
      [`user_directory_missed_users_total${tasks}`]: { counter: [0, 0] },
    },
    quietMinutes: 90,
  },
  gauge('SchedulesAreLate', `schedule_lag_seconds${tasks}`, 0, 11),
  gauge('RemindersAreLate', `tasks_reminders_late_seconds${tasks}`, 0.5, 3),
  gauge('SyncIsBehind', 'tasks_sync_age_seconds{service="tasks",feed="tasks"}', 0.1, 11),
  gauge('SearchIsBehind', `tasks_search_lag_seconds${tasks}`, 0.5, 21),
  gauge('JobsWait', `jobs_oldest_queued_seconds${reports}`, 3_500, 3_700, reportsLabels),
  gauge('JobsAreDead', 'jobs{service="tasks",queue="reports",state="dead"}', 0, 1, reportsLabels),
  {
    title: '',
    alert: 'LeasesExpire',
    labels: reportsLabels,
    series: { 'jobs_reaped_total{service="tasks",queue="reports",state="queued"}': { counter: [0, 2] } },
    quietMinutes: 90,
  },
  {
    title: 'of a single worker that crashed',
    alert: 'LeasesExpire',
    labels: reportsLabels,
    series: { 'jobs_reaped_total{service="tasks",queue="reports",state="queued"}': { counter: [0, 1] } },
    faultMinutes: 5,
    never: true,
  },
  gauge('MailsAreLate', 'notifications_deliveries_oldest_seconds{service="notifications"}', 3000, 3601, {
    service: 'notifications',
  }),
  gauge('MailsAreUnknown', `notifications_deliveries${mails}`, 0, 1, { service: 'notifications', channel: 'email' }),
  gauge('RetentionIsOverdue', 'retention_overdue_seconds{service="tasks",rule="a"}', 86_000, 87_000),
  {
    ...gauge('SigningKeyIsOld', 'auth_signing_key_age_seconds{service="auth"}', 0, 0, { service: 'auth' }),
    series: {
      'auth_signing_key_age_seconds{service="auth"}': { gauge: [2_592_000, 2_692_000] },
      'auth_signing_key_rotation_seconds{service="auth"}': { gauge: [2_592_000, 2_592_000] },
    },
  },
  { ...gauge('ArchiveIsFailing', `database_archive_failing${tasks}`, 0, 1), faultMinutes: 30 },
  gauge('BackupIsOld', `database_backup_age_seconds${tasks}`, 86_400, 130_000),
  {
    title: '',
    alert: 'DatabaseDiskIsLow',
    labels: {},
    series: {
      'database_disk_free_bytes{instance="a"}': { gauge: [2e10, 9e9] },
      'database_disk_limit_bytes{instance="a"}': { gauge: [1e10, 1e10] },
    },
  },
  {
    title: 'on Kubernetes',
    alert: 'DatabaseDiskIsLow',
    labels: { persistentvolumeclaim: 'tasks-postgres-1-wal' },
    series: {
      'kubelet_volume_stats_available_bytes{persistentvolumeclaim="tasks-postgres-1-wal"}': { gauge: [9e9, 1e9] },
      'kubelet_volume_stats_capacity_bytes{persistentvolumeclaim="tasks-postgres-1-wal"}': { gauge: [1e10, 1e10] },
    },
  },
  {
    title: '',
    alert: 'BrokerDiskIsLow',
    labels: {},
    series: {
      'rabbitmq_disk_space_available_bytes{instance="a"}': { gauge: [1e9, 1e8] },
      'rabbitmq_disk_space_available_limit_bytes{instance="a"}': { gauge: [5e7, 5e7] },
    },
  },
];
