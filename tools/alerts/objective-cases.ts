import type { RuleCase, Series } from './rule-case.ts';

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

/** `limit`: 2 as Prometheus 2 stores it, or 2.0 as Prometheus 3 does. */
const latenessBy =
  (limit: string): typeof traffic =>
  (events, quietLate, late) => ({
    'inbox_lag_seconds_count{service="notifications",handler="notify"}': { counter: [events, events] },
    [`inbox_lag_seconds_bucket{service="notifications",handler="notify",le="${limit}"}`]: {
      counter: [events - quietLate, events - late],
    },
  });

const probe = (check: string, failed: number): Record<string, Series> => ({
  [`probe_checks_total{check="${check}",outcome="passed"}`]: { counter: [1, 1 - failed] },
  [`probe_checks_total{check="${check}",outcome="failed"}`]: { counter: [0, failed] },
});

const pageTimes = { faultMinutes: 20, quietMinutes: 90 };

type Objective = { slo: string; check: string; page: string; ticket: string; events: typeof traffic };

/** Each objective by its traffic, with a fault that is far above what its budget allows, and by the probe while there is almost no traffic. */
function objectiveCases({ slo, check, page, ticket, events }: Objective): RuleCase[] {
  const labels = { slo };
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

export const objectiveRuleCases: readonly RuleCase[] = [
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
    events: latenessBy('2'),
  }),
  {
    title: 'by events in Prometheus 3',
    alert: 'NotificationsAreLate',
    labels: { slo: 'freshness' },
    series: { ...latenessBy('2.0')(1000, 0, 500), ...probe('fresh', 0) },
    ...pageTimes,
  },
];
