import { causeNames } from './alert.ts';
import type { Job } from './causes.ts';
import { dividedDuration } from './rules.ts';

/** The address of each job's targets, as host:port. */
export type Targets = Partial<Record<Job, readonly string[]>>;

const paths: Partial<Record<Job, { metrics_path: string; params?: Record<string, string[]> }>> = {
  // the default page has only sums over all queues
  'rabbitmq-queues': {
    metrics_path: '/metrics/detailed',
    params: { family: ['queue_coarse_metrics', 'queue_consumer_count'] },
  },
};

/**
 * The configuration of Prometheus.
 * @param faster as in `ruleGroups`; scrapes are at least a second apart
 */
export function prometheusConfig(o: {
  targets: Targets;
  alertmanager: string;
  /** The address under which the docs/ of this repository are found. */
  docs: string;
  ruleFile: string;
  faster?: number;
}): object {
  const { faster = 1 } = o;
  const interval = faster === 1 ? '15s' : '1s';
  return {
    global: {
      scrape_interval: interval,
      // the metrics of a service wait 3 s for its database
      scrape_timeout: faster === 1 ? '5s' : '1s',
      evaluation_interval: interval,
      external_labels: { docs: o.docs },
    },
    rule_files: [o.ruleFile],
    alerting: {
      // the address of the documents is part of the runbook's link, and no property of an alert
      alert_relabel_configs: [{ action: 'labeldrop', regex: 'docs' }],
      alertmanagers: [{ static_configs: [{ targets: [o.alertmanager] }] }],
    },
    scrape_configs: Object.entries(o.targets).map(([job, targets]) => ({
      job_name: job,
      ...paths[job as Job],
      static_configs: [{ targets }],
    })),
  };
}

/** Where notifications are sent. */
export type Receivers = {
  /** Receives pages. */
  page: object;
  /** Receives tickets. */
  ticket: object;
};

/**
 * The configuration of Alertmanager: pages and tickets go to different receivers, one notification for each alert and namespace. An alert about a cause
 * inhibits the alerts about its consequences.
 */
export function alertmanagerConfig({ page, ticket }: Receivers, { faster = 1 }: { faster?: number } = {}): object {
  const every = (text: string) => dividedDuration(text, faster);
  return {
    route: {
      receiver: 'ticket',
      group_by: ['alertname', 'namespace'],
      // a cause is known before its consequences
      group_wait: every('15s'),
      group_interval: every('5m'),
      repeat_interval: every('4h'),
      routes: [
        { matchers: ['severity="none"'], receiver: 'silent' },
        { matchers: ['severity="page"'], receiver: 'page' },
      ],
    },
    inhibit_rules: causeNames.flatMap((cause) => [
      {
        source_matchers: [`cause="${cause}"`],
        target_matchers: [`causes=~"${listWith(cause)}"`],
        equal: ['namespace'],
      },
      ...['cause', 'past_cause'].map((label) => ({
        source_matchers: [`${label}="${cause}"`],
        target_matchers: [`past_causes=~"${listWith(cause)}"`],
        equal: ['namespace'],
      })),
    ]),
    receivers: [{ name: 'silent' }, { name: 'page', ...page }, { name: 'ticket', ...ticket }],
  };
}

/** Returns a regular expression for comma-separated lists that contain this item. */
function listWith(item: string): string {
  return `(.*,)?${item}(,.*)?`;
}
