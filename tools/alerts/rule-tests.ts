import type { Rule } from '../../infra/observability/rules.ts';
import type { RuleCase, Series } from './rule-case.ts';

/** Long enough for the waiting time of every symptom, in minutes. */
const usualFaultMinutes = 10;
const usualQuietMinutes = 20;
const quietBeforeMinutes = 25;

const docs = 'https://docs.test';

/**
 * The input of `promtool test rules`: each case checks its alert while all is quiet, during the fault, and after it.
 * @param groups the groups of the rule file, in their order: in another one, alerts would see the recorded series of the evaluation before, which
 * Prometheus 3 no longer finds after five minutes
 * @param every the minutes between two evaluations; the cases of objectives last for hours, and evaluate many rules
 */
export function ruleTests(
  cases: readonly RuleCase[],
  rules: readonly Rule[],
  o: { ruleFile: string; every: number; groups: readonly string[] },
): object {
  const byName = new Map(rules.map((rule) => [rule.alert, rule]));
  return {
    rule_files: [o.ruleFile],
    evaluation_interval: `${o.every}m`,
    group_eval_order: o.groups,
    tests: cases.map((one) => {
      const rule = byName.get(one.alert);
      if (rule === undefined) throw new Error(`a case tests the unknown alert ${one.alert}`);
      const { faultMinutes = usualFaultMinutes, quietMinutes = usualQuietMinutes } = one;
      const phases = [quietBeforeMinutes, faultMinutes, quietMinutes] as const;
      const firing = { exp_labels: { ...one.labels, ...rule.labels }, exp_annotations: annotations(rule, one.labels) };
      const at = (minutes: number, expected: object[]) => ({
        eval_time: `${minutes}m`,
        alertname: one.alert,
        exp_alerts: expected,
      });
      return {
        name: `${one.alert} ${one.title}`.trim(),
        interval: '1m',
        external_labels: { docs },
        input_series: Object.entries(one.series).map(([series, values]) => ({
          series,
          values: valuesOf(values, phases),
        })),
        alert_rule_test: [
          at(quietBeforeMinutes - 1, []),
          at(quietBeforeMinutes + faultMinutes - 1, one.never === true ? [] : [firing]),
          at(quietBeforeMinutes + faultMinutes + quietMinutes - 1, []),
        ],
      };
    }),
  };
}

function valuesOf(series: Series, [before, during, after]: readonly [number, number, number]): string {
  const phases = (quiet: string, fault: string) =>
    [
      ...Array<string>(before).fill(quiet),
      ...Array<string>(during).fill(fault),
      ...Array<string>(after).fill(quiet),
    ].join(' ');
  if ('gauge' in series) {
    const [quiet, fault] = series.gauge.map((value) => (value === undefined ? 'stale' : String(value)));
    return phases(quiet ?? '', fault ?? '');
  }
  const [quiet, fault] = series.counter;
  let sum = 0;
  return phases(String(quiet), String(fault))
    .split(' ')
    .map((increase) => (sum += Number(increase)))
    .join(' ');
}

/** The annotations of a rule with the labels of its result filled in. */
function annotations({ annotations: given = {} }: Rule, labels: Record<string, string>): Record<string, string> {
  const filled = (text: string) =>
    text
      .replaceAll('{{ $externalLabels.docs }}', docs)
      .replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, name: string) => labels[name] ?? '');
  return Object.fromEntries(Object.entries(given).map(([name, text]) => [name, filled(text)]));
}
