import { jobs } from '../../infra/observability/causes.ts';

/** The values of a series in the three phases of a case: quiet, at fault, and quiet again. A counter has its increases by minute. */
export type Series = { gauge: [number | undefined, number | undefined] } | { counter: [number, number] };

/**
 * The expected behaviour of an alert: it does not fire while all is quiet, fires at the fault with these labels, and is resolved after the fault has
 * ended.
 */
export type RuleCase = {
  title: string;
  alert: string;
  series: Record<string, Series>;
  labels: Record<string, string>;
  /** The duration of the fault, and of the quiet phase after it, in minutes. */
  faultMinutes?: number;
  quietMinutes?: number;
  /** The alert must not fire at all. */
  never?: true;
};

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

/** The requests of one minute, with their errors, as the objectives count them. */
const traffic = (requests: number, quietErrors: number, errors: number): Record<string, Series> => ({
  'gateway_requests_total{service="tasks",class="2xx"}': { counter: [requests - quietErrors, requests - errors] },
  'gateway_requests_total{service="tasks",class="5xx"}': { counter: [quietErrors, errors] },
});

const slowness = (requests: number, quietSlow: number, slow: number): Record<string, Series> => ({
  'gateway_request_duration_seconds_count{service="tasks"}': { counter: [requests, requests] },
  'gateway_request_duration_seconds_bucket{service="tasks",le="0.25"}': {
    counter: [requests - quietSlow, requests - slow],
  },
});

const lateness = (events: number, quietLate: number, late: number): Record<string, Series> => ({
  'inbox_lag_seconds_count{service="notifications",handler="notify"}': { counter: [events, events] },
  'inbox_lag_seconds_bucket{service="notifications",handler="notify",le="2"}': {
    counter: [events - quietLate, events - late],
  },
});

const probe = (check: string, failed: number): Record<string, Series> => ({
  [`probe_checks_total{check="${check}",outcome="passed"}`]: { counter: [1, 1 - failed] },
  [`probe_checks_total{check="${check}",outcome="failed"}`]: { counter: [0, failed] },
});

const limited = (check: string): Record<string, Series> => ({
  [`probe_checks_total{check="${check}",outcome="limited"}`]: { counter: [0, 1] },
});

type Objective = { slo: string; check: string; page: string; ticket: string; events: typeof traffic };

/** Each objective by its traffic, with a fault that is far above what its budget allows, and by the probe while there is almost no traffic. */
function objectiveCases({ slo, check, page, ticket, events }: Objective): RuleCase[] {
  const labels = { slo };
  const pageTimes = { faultMinutes: 20, quietMinutes: 90 };
  const ticketTimes = { faultMinutes: 240, quietMinutes: 500 };
  return [
    {
      title: 'a few failures of an idle suite',
      alert: page,
      labels,
      series: { ...events(2, 0, 1), ...probe(check, 0) },
      never: true,
      ...pageTimes,
    },
    {
      title: 'within the budget',
      alert: page,
      labels,
      series: { ...events(10_000, 0, 1), ...probe(check, 0) },
      never: true,
      ...pageTimes,
    },
    {
      title: 'a probe whose requests get 429',
      alert: page,
      labels,
      series: { ...events(0.1, 0, 0), ...probe(check, 0), ...limited(check) },
      never: true,
      ...pageTimes,
    },
    {
      title: 'by requests',
      alert: page,
      labels,
      series: { ...events(1000, 0, 500), ...probe(check, 0) },
      ...pageTimes,
    },
    {
      title: 'by the probe at night',
      alert: page,
      labels,
      series: { ...events(0.1, 0, 0), ...probe(check, 1) },
      ...pageTimes,
    },
    {
      title: 'by requests',
      alert: ticket,
      labels,
      series: { ...events(1000, 0, 100), ...probe(check, 0) },
      ...ticketTimes,
    },
    {
      title: 'by the probe at night',
      alert: ticket,
      labels,
      series: { ...events(0.1, 0, 0), ...probe(check, 1) },
      ...ticketTimes,
    },
  ];
}

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
  ...objectiveCases({
    slo: 'availability',
    check: 'available',
    page: 'ApiIsUnavailable',
    ticket: 'ApiBudgetIsBurning',
    events: traffic,
  }),
  ...objectiveCases({
    slo: 'latency',
    check: 'fast',
    page: 'ApiIsSlow',
    ticket: 'LatencyBudgetIsBurning',
    events: slowness,
  }),
  ...objectiveCases({
    ...{ slo: 'freshness', check: 'fresh', page: 'NotificationsAreLate', ticket: 'FreshnessBudgetIsBurning' },
    events: lateness,
  }),
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
  { title: '', alert: 'ProbeIsLimited', series: limited('available'), labels: {} },
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
    alert: 'BrokerDiskIsLow',
    labels: {},
    series: {
      'rabbitmq_disk_space_available_bytes{instance="a"}': { gauge: [1e9, 1e8] },
      'rabbitmq_disk_space_available_limit_bytes{instance="a"}': { gauge: [5e7, 5e7] },
    },
  },
];
