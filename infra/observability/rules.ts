import { runbookOf, type Alert } from './alert.ts';
import { alerts } from './alerts.ts';
import { jobIsMissing, jobs, type Job } from './causes.ts';
import { recordings } from './slos.ts';

export type Rule = {
  record?: string;
  alert?: string;
  expr: string;
  for?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
};

export type RuleGroup = { name: string; interval?: string; rules: Rule[] };

/** The alerts that notify no one and inhibit the consequences of a cause: their label, and how long they last after the alert about the cause. */
const recentCauses = [
  // consequences without a window end a few scrapes later
  { alert: 'CauseIsRecent', label: 'cause', window: '7m' },
  // the shorter window of the slower page is half an hour
  { alert: 'CauseIsPast', label: 'past_cause', window: '35m' },
] as const;

/**
 * The recording rules and alerts, as groups of a rule file of Prometheus.
 * @param expected the jobs of Prometheus, if its configuration lacks some, for example those of a broker that others operate.
 * @param faster divides every window and waiting time: 60 makes an hour a minute, for drills. Limits of ages and sizes stay the same.
 */
export function ruleGroups(o: { faster?: number; expected?: readonly Job[] } = {}): RuleGroup[] {
  const { faster = 1, expected = jobs } = o;
  const missing = jobIsMissing(expected);
  const used = alerts.map((alert) => (alert.name === missing.name ? missing : alert));
  const groups: RuleGroup[] = [
    { name: 'taskwire-objectives', rules: recordings() },
    { name: 'taskwire', rules: [...used.map(ruleOf), ...recentCauses.map(recentCauseRule)] },
  ];
  return groups.map(({ rules, ...group }) => ({ ...group, rules: rules.map((rule) => shortened(rule, faster)) }));
}

function ruleOf({ name, expr, for: time, severity, summary, cause, causes, pastCauses }: Alert): Rule {
  return {
    alert: name,
    expr,
    ...(time === undefined ? {} : { for: time }),
    labels: {
      severity,
      ...(cause && { cause }),
      ...(causes && { causes: causes.join(',') }),
      ...(pastCauses && { past_causes: pastCauses.join(',') }),
    },
    // an installation names the address of its copy of the repository in external_labels
    annotations: { summary, runbook_url: `{{ $externalLabels.docs }}/${runbookOf({ name })}` },
  };
}

function recentCauseRule({ alert, label, window }: (typeof recentCauses)[number]): Rule {
  const firing = `ALERTS{alertstate="firing",cause!="",alertname!~"${recentCauses[0].alert}"}`;
  const recent = `max by (namespace, cause) (max_over_time(${firing}[${window}]))`;
  return {
    alert,
    expr:
      label === 'cause'
        ? recent
        : `max by (namespace, ${label}) (label_replace(${recent}, "${label}", "$1", "cause", "(.*)"))`,
    labels: { severity: 'none' },
    annotations: { summary: `Alerts about the consequences of {{ $labels.${label} }} notify no one` },
  };
}

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration of Prometheus divided by a number, in milliseconds unless it is 1. */
export function dividedDuration(text: string, by: number): string {
  const [, count = '', unit = ''] = /^(\d+)(s|m|h|d)$/.exec(text) ?? [];
  const ms = unitMs[unit];
  if (ms === undefined) throw new Error(`${text} is not a duration in s, m, h or d`);
  return by === 1 ? text : `${Math.max(1, Math.round((Number(count) * ms) / by))}ms`;
}

function shortened(rule: Rule, faster: number): Rule {
  // a window, or that of a subquery
  const expr = rule.expr.replaceAll(/\[(\d+[smhd])(:?)\]/g, (_, window: string, colon: string) => {
    return `[${dividedDuration(window, faster)}${colon}]`;
  });
  return { ...rule, expr, ...(rule.for && { for: dividedDuration(rule.for, faster) }) };
}
