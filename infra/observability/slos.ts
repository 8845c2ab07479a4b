import type { Alert, Cause } from './alert.ts';

/** An objective that is judged by how fast its error budget is used up. */
export type Slo = {
  /** The value of the label `slo` of its recorded series. */
  name: string;
  /** The share of good events in 30 days. */
  objective: number;
  /** A counter of all events, as a selector. */
  total: string;
  /** A counter of the bad events, or of the good ones. */
  events: { bad: string } | { good: string };
  /** With fewer events than this in the longer window, the checks of the probe are judged instead. */
  minimum: number;
  /** The check of the probe, a value of the label `check` of probe_checks_total. */
  probe: string;
  page: { alert: string; summary: string };
  ticket: { alert: string; summary: string };
  causes: readonly Cause[];
};

/**
 * The objectives of the suite. Dead letters and the drift of user directories have the objective 0, so they are plain thresholds among the symptoms.
 * The probe itself makes about 500 requests and 200 events an hour, so a minimum is above these.
 */
export const slos: readonly Slo[] = [
  {
    name: 'availability',
    objective: 0.999,
    total: 'gateway_requests_total{service!="none"}',
    events: { bad: 'gateway_requests_total{service!="none",class="5xx"}' },
    minimum: 1_000,
    probe: 'available',
    page: {
      alert: 'ApiIsUnavailable',
      summary: 'Requests fail with 5xx more often than the objective of 99.9 % allows',
    },
    ticket: {
      alert: 'ApiBudgetIsBurning',
      summary: 'At this rate, failing requests use up the error budget of the month',
    },
    causes: ['postgres', 'gateway', 'service'],
  },
  {
    name: 'latency',
    objective: 0.99,
    total: 'gateway_request_duration_seconds_count{service!="none"}',
    events: { good: 'gateway_request_duration_seconds_bucket{service!="none",le="0.25"}' },
    minimum: 1_000,
    probe: 'fast',
    page: {
      alert: 'ApiIsSlow',
      summary: 'Requests take longer than 250 ms more often than the objective of 99 % allows',
    },
    ticket: {
      alert: 'LatencyBudgetIsBurning',
      summary: 'At this rate, slow requests use up the error budget of the month',
    },
    causes: ['postgres', 'gateway', 'service'],
  },
  {
    name: 'freshness',
    objective: 0.99,
    total: 'inbox_lag_seconds_count{service="notifications",handler="notify"}',
    // Prometheus 3 stores the limit 2 as 2.0
    events: { good: 'inbox_lag_seconds_bucket{service="notifications",handler="notify",le=~"2([.]0)?"}' },
    minimum: 500,
    probe: 'fresh',
    page: {
      alert: 'NotificationsAreLate',
      summary:
        'Notifications are readable more than 2 s after their event, more often than the objective of 99 % allows',
    },
    ticket: {
      alert: 'FreshnessBudgetIsBurning',
      summary: 'At this rate, late notifications use up the error budget of the month',
    },
    causes: ['broker', 'postgres', 'gateway', 'service'],
  },
];

type Burn = { rate: number; long: string; short: string };

/**
 * A rate of 14.4 uses up 2 % of the budget of a month in an hour; 6, 5 % in six hours; 3, 10 % in a day; 1, 10 % in three days. The shorter window ends
 * the alert soon after the fault.
 */
const pageBurns: readonly Burn[] = [
  { rate: 14.4, long: '1h', short: '5m' },
  { rate: 6, long: '6h', short: '30m' },
];
const ticketBurns: readonly Burn[] = [
  { rate: 3, long: '1d', short: '2h' },
  { rate: 1, long: '3d', short: '6h' },
];

const longWindows = [...pageBurns, ...ticketBurns].map(({ long }) => long);
const windows = [...new Set([...pageBurns, ...ticketBurns].flatMap(({ long, short }) => [short, long]))];

/** One failed check of a probe that runs once a minute exceeds every burn rate, so three are required. `increase` extrapolates, hence 2.5. */
const fewestFailedChecks = 2.5;

/** The series that the alerts compare, for each window: the share of bad events, the number of events, and both for the probe. */
export function recordings(): { record: string; expr: string; labels: { slo: string } }[] {
  return slos.flatMap((slo) => {
    const { name, total, events, probe } = slo;
    const sum = (call: string, counter: string, window: string) =>
      `sum by (namespace) (${call}(${counter}[${window}]))`;
    const errors = (window: string) =>
      'bad' in events
        ? `${sum('rate', events.bad, window)} / ${sum('rate', total, window)}`
        : `1 - ${sum('rate', events.good, window)} / ${sum('rate', total, window)}`;
    const checks = `probe_checks_total{check="${probe}"}`;
    const failed = `probe_checks_total{check="${probe}",outcome="failed"}`;
    const series = [
      ...windows.flatMap((window) => [
        [`slo:errors:ratio${window}`, errors(window)],
        [`slo:probe_errors:ratio${window}`, `${sum('rate', failed, window)} / ${sum('rate', checks, window)}`],
      ]),
      ...longWindows.flatMap((window) => [
        [`slo:events:increase${window}`, sum('increase', total, window)],
        [`slo:probe_failures:increase${window}`, sum('increase', failed, window)],
      ]),
    ];
    return series.map(([record = '', expr = '']) => ({ record, expr, labels: { slo: name } }));
  });
}

/** One page and one ticket for each objective. */
export function budgetAlerts(): Alert[] {
  return slos.flatMap((slo): Alert[] => {
    const expr = (burns: readonly Burn[]) => burns.map((burn) => burnsFaster(slo, burn)).join('\nor\n');
    const both = { pastCauses: slo.causes };
    return [
      // the alerts about causes fire first, and then inhibit this one
      { ...both, name: slo.page.alert, summary: slo.page.summary, expr: expr(pageBurns), for: '1m', severity: 'page' },
      { ...both, name: slo.ticket.alert, summary: slo.ticket.summary, expr: expr(ticketBurns), severity: 'ticket' },
    ];
  });
}

function burnsFaster({ name, objective, minimum }: Slo, { rate, long, short }: Burn): string {
  const limit = Number((rate * (1 - objective)).toPrecision(4));
  const at = `{slo="${name}"}`;
  const exceeds = (series: string) =>
    `${series}:ratio${long}${at} > ${limit} and ${series}:ratio${short}${at} > ${limit}`;
  const enough = `slo:events:increase${long}${at} >= ${minimum}`;
  return [
    `(${exceeds('slo:errors')} and ${enough})`,
    `(${exceeds('slo:probe_errors')} and slo:probe_failures:increase${long}${at} >= ${fewestFailedChecks} unless ${enough})`,
  ].join(' or ');
}
