import { slos } from '../slos.ts';
import { panel, quantile, rate, type Dashboard, type Panel } from './panels.ts';

const behind = 'service!="none"';

/** Kubelet measures these volumes of PostgreSQL on Kubernetes. */
const ofClaims = (what: 'available' | 'capacity'): string =>
  `min by (persistentvolumeclaim) (kubelet_volume_stats_${what}_bytes{persistentvolumeclaim=~".+-postgres-.+"})`;

const database: readonly Panel[] = [
  panel(
    'Connections of the server',
    'short',
    ['connections', 'max(database_server_connections)'],
    ['limit', 'max(database_server_max_connections)'],
  ),
  panel(
    'Disk of PostgreSQL',
    'bytes',
    ['free {{persistentvolumeclaim}}', `min(database_disk_free_bytes) or ${ofClaims('available')}`],
    ['limit {{persistentvolumeclaim}}', `max(database_disk_limit_bytes) or 0.2 * ${ofClaims('capacity')}`],
  ),
  panel('Size of the databases', 'bytes', ['{{service}}', 'max by (service) (database_size_bytes)']),
  panel(
    'Pools',
    'short',
    [
      '{{service}} used',
      'sum by (service) (db_pool_connections{state="total"}) - sum by (service) (db_pool_connections{state="idle"})',
    ],
    ['{{service}} waiting', 'sum by (service) (db_pool_connections{state="waiting"})'],
  ),
];

const broker: readonly Panel[] = [
  panel(
    'Memory of RabbitMQ',
    'bytes',
    ['used', 'max(rabbitmq_process_resident_memory_bytes)'],
    ['limit', 'max(rabbitmq_resident_memory_limit_bytes)'],
  ),
  panel(
    'Disk of RabbitMQ',
    'bytes',
    ['free', 'min(rabbitmq_disk_space_available_bytes)'],
    ['limit', 'max(rabbitmq_disk_space_available_limit_bytes)'],
  ),
  panel(
    'Alarms of RabbitMQ',
    'short',
    ['memory', 'max(rabbitmq_alarms_memory_used_watermark)'],
    ['disk', 'max(rabbitmq_alarms_free_disk_space_watermark)'],
    ['blocked connections', 'sum(rabbit_connection_blocked)'],
  ),
];

const suite: Dashboard = {
  uid: 'taskwire-suite',
  title: 'Taskwire: suite',
  rows: [
    {
      title: 'Responses to callers',
      panels: [
        panel('Requests', 'reqps', ['{{service}}', rate(`gateway_requests_total{${behind}}`, 'service')]),
        panel('Requests that fail with 5xx', 'reqps', [
          '{{service}}',
          rate('gateway_requests_total{class="5xx"}', 'service'),
        ]),
        panel(
          'Duration of requests',
          's',
          ['median', quantile(0.5, `gateway_request_duration_seconds_bucket{${behind}}`, 'namespace')],
          ['99 % of {{service}}', quantile(0.99, `gateway_request_duration_seconds_bucket{${behind}}`, 'service')],
        ),
        panel('Created tasks', 'cps', [
          'tasks',
          'sum(rate(http_request_duration_seconds_count{service="tasks",method="POST",route="/api/v1/tasks",status="201"}[$__rate_interval]))',
        ]),
        panel('Time until an assignment is readable (probe)', 's', ['seconds', 'max(probe_readable_seconds)']),
        panel('Firing alerts', 'short', [
          '{{severity}}',
          'count by (severity) (ALERTS{alertstate="firing"}) or vector(0)',
        ]),
      ],
    },
    {
      title: 'What runs',
      panels: [
        panel('Targets up', 'short', ['{{job}}', 'sum by (job) (up)']),
        panel('Memory of processes', 'bytes', ['{{job}}', 'sum by (job) (process_resident_memory_bytes)']),
        panel('Processor time', 'percentunit', ['{{job}}', rate('process_cpu_seconds_total', 'job')]),
      ],
    },
    { title: 'PostgreSQL', panels: database },
    { title: 'RabbitMQ', panels: broker },
  ],
};

const messaging: Dashboard = {
  uid: 'taskwire-messaging',
  title: 'Taskwire: messaging',
  rows: [
    {
      title: 'Publishing',
      panels: [
        panel('Published events', 'cps', ['{{service}}', rate('outbox_published_total', 'service')]),
        panel('Waiting events', 'short', ['{{service}}', 'sum by (service) (outbox_rows)']),
        panel('Age of the oldest waiting event', 's', ['{{service}}', 'max by (service) (outbox_oldest_age_seconds)']),
        panel('Blocked events', 'short', ['{{service}}', 'max by (service) (outbox_blocked_rows)']),
        panel('Leaders', 'short', ['{{service}}', 'sum by (service) (outbox_relay_leader)']),
        panel('Connections to RabbitMQ', 'short', ['{{service}}', 'sum by (service) (rabbit_connection_up)']),
      ],
    },
    {
      title: 'Queues',
      panels: [
        panel('Depth of queues', 'short', ['{{queue}}', 'sum by (queue) (rabbitmq_detailed_queue_messages_ready)']),
        panel('Messages being handled', 'short', [
          '{{queue}}',
          'sum by (queue) (rabbitmq_detailed_queue_messages_unacked)',
        ]),
        panel('Consumers', 'short', ['{{queue}}', 'sum by (queue) (rabbitmq_detailed_queue_consumers)']),
      ],
    },
    {
      title: 'Consuming',
      panels: [
        panel('Handled messages', 'cps', [
          '{{service}} {{handler}} {{outcome}}',
          rate('inbox_messages_total', 'service, handler, outcome'),
        ]),
        panel('Duration of handlers (99 %)', 's', [
          '{{service}} {{handler}}',
          quantile(0.99, 'inbox_handle_seconds_bucket', 'service, handler'),
        ]),
        panel('From the event to its effect (99 %)', 's', [
          '{{service}}',
          quantile(0.99, 'inbox_lag_seconds_bucket', 'service'),
        ]),
        panel('Recorded messages', 'short', [
          '{{service}} {{state}}',
          'sum by (service, state) (inbox_pending_messages)',
        ]),
        panel('Dead letters', 'short', ['{{service}}', 'max by (service) (inbox_dead_letters)']),
        panel('Corrected users', 'short', [
          '{{service}}',
          'sum by (service) (increase(user_directory_drift_total[1h]))',
        ]),
      ],
    },
    { title: 'RabbitMQ', panels: broker },
  ],
};

const objectives: Dashboard = {
  uid: 'taskwire-objectives',
  title: 'Taskwire: objectives',
  rows: slos.map(({ name, objective, probe, minimum }) => {
    const at = `{slo="${name}"}`;
    const budget = Number((1 - objective).toPrecision(4));
    return {
      title: `${name}: ${objective * 100} %`,
      panels: [
        panel(
          'Share of bad events',
          'percentunit',
          ['5 minutes', `slo:errors:ratio5m${at}`],
          ['6 hours', `slo:errors:ratio6h${at}`],
        ),
        panel(
          'Burn rate',
          'short',
          ['1 hour', `slo:errors:ratio1h${at} / ${budget}`],
          ['3 days', `slo:errors:ratio3d${at} / ${budget}`],
        ),
        panel(
          'Events per hour, and the minimum to be judged',
          'short',
          ['events', `slo:events:increase1h${at}`],
          ['minimum', `vector(${minimum})`],
        ),
        panel(
          'Checks of the probe that failed, or had no result because of 429',
          'short',
          ['failed', `sum(increase(probe_checks_total{check="${probe}",outcome="failed"}[1h]))`],
          ['no result', `sum(increase(probe_checks_total{check="${probe}",outcome="limited"}[1h]))`],
        ),
      ],
    };
  }),
};

/** The panels that every service has. */
function serviceDashboard(service: string, title: string, own: readonly Panel[]): Dashboard {
  const of = (metric: string, more = '') => `${metric}{service="${service}"${more}}`;
  return {
    uid: `taskwire-${service}`,
    title: `Taskwire: ${title}`,
    rows: [
      {
        title: 'Requests',
        panels: [
          panel('Requests', 'reqps', [
            '{{method}} {{route}}',
            rate(of('http_request_duration_seconds_count'), 'method, route'),
          ]),
          panel('Statuses', 'reqps', ['{{status}}', rate(of('http_request_duration_seconds_count'), 'status')]),
          panel('Duration of requests (99 %)', 's', [
            '{{method}} {{route}}',
            quantile(0.99, of('http_request_duration_seconds_bucket'), 'method, route'),
          ]),
        ],
      },
      {
        title: 'Process and database',
        panels: [
          panel('Pool', 'short', ['{{state}}', `sum by (state) (${of('db_pool_connections')})`]),
          panel('Delay of the event loop (99 %)', 's', [
            '{{instance}}',
            `max by (instance) (nodejs_eventloop_lag_p99_seconds{job="${service}"})`,
          ]),
          panel("Difference from the database's clock", 's', ['{{instance}}', of('clock_offset_seconds')]),
        ],
      },
      { title, panels: own },
    ],
  };
}

const auth = serviceDashboard('auth', 'Auth', [
  panel(
    'Age of the signing key',
    's',
    ['age', 'max(auth_signing_key_age_seconds)'],
    ['replaced at', 'max(auth_signing_key_rotation_seconds)'],
  ),
  panel('Passwords being hashed', 'short', ['{{state}}', 'sum by (state) (password_hashes)']),
  panel('Rows past their retention', 's', ['{{rule}}', 'max by (rule) (retention_overdue_seconds{service="auth"})']),
]);

const tasks = serviceDashboard('tasks', 'Tasks', [
  panel('Lateness of schedules', 's', ['lateness', 'max(schedule_lag_seconds)']),
  // a suite without jobs has no series of queues
  panel('Jobs', 'short', ['{{queue}} {{state}}', 'max by (queue, state) (jobs) or vector(0)']),
  panel('Age of the first due job', 's', ['{{queue}}', 'max by (queue) (jobs_oldest_queued_seconds) or vector(0)']),
  panel('Expired leases', 'cps', ['{{queue}} {{state}}', `${rate('jobs_reaped_total', 'queue, state')} or vector(0)`]),
  panel('Lateness of reminders', 's', ['lateness', 'max(tasks_reminders_late_seconds)']),
  panel('Tasks without a performer', 'short', ['{{reason}}', 'max by (reason) (tasks_awaiting_reassignment)']),
  panel('Calls to other services', 'cps', [
    '{{client}} {{outcome}}',
    rate('http_client_calls_total{service="tasks"}', 'client, outcome'),
  ]),
  panel('Age of the last reconciliation of users', 's', [
    'age',
    'min(user_directory_reconciliation_age_seconds{service="tasks"})',
  ]),
  panel('Rows past their retention', 's', ['{{rule}}', 'max by (rule) (retention_overdue_seconds{service="tasks"})']),
]);

const notifications = serviceDashboard('notifications', 'Notifications', [
  panel('Attempts to deliver', 'cps', [
    '{{channel}} {{outcome}}',
    rate('notifications_delivery_attempts_total', 'channel, outcome'),
  ]),
  panel('From the event to the mail server (99 %)', 's', [
    '{{channel}}',
    quantile(0.99, 'notifications_delivery_seconds_bucket', 'channel'),
  ]),
  panel('Calls to other services', 'cps', [
    '{{client}} {{outcome}}',
    rate('http_client_calls_total{service="notifications"}', 'client, outcome'),
  ]),
  panel('Age of the last reconciliation of users', 's', [
    'age',
    'min(user_directory_reconciliation_age_seconds{service="notifications"})',
  ]),
  panel('Rows past their retention', 's', [
    '{{rule}}',
    'max by (rule) (retention_overdue_seconds{service="notifications"})',
  ]),
]);

export const dashboards: readonly Dashboard[] = [suite, auth, tasks, notifications, messaging, objectives];
