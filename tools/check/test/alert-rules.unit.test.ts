import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { alerts } from '../../../infra/observability/alerts.ts';
import { dashboards } from '../../../infra/observability/dashboards/dashboards.ts';
import { recordings } from '../../../infra/observability/slos.ts';
import { ruleGroups, type RuleGroup } from '../../../infra/observability/rules.ts';
import { alertRules, alertsWithoutRunbook } from '../alert-rules.ts';
import { root } from '../step.ts';

describe('The alerts and dashboards', () => {
  it('use only metrics that a service, the gateway, the probe or RabbitMQ has', () => {
    const sources = globSync(['{packages,services}/*/src/**/*.ts', 'infra/{observability,observer}/*.ts'], {
      cwd: root,
    }).map((file) => readFileSync(join(root, file), 'utf8'));
    const functions = /^(histogram_quantile|label_replace|max_over_time|min_over_time)$/;
    // `npm run alerts` looks for the metrics of RabbitMQ and of Node itself on live pages; those of kubelet exist only on Kubernetes
    const foreign = /^(rabbitmq|process|nodejs|kubelet)_/;
    const unknown = (text: string) =>
      [...text.matchAll(/\b[a-z]+(?:_[a-z]+)+\b/g)]
        .map(([name]) => name.replace(/_(bucket|sum|count)$/, ''))
        .filter((name) => !functions.test(name) && !foreign.test(name))
        .filter((name) => !sources.some((source) => source.includes(`'${name}'`)));
    const withoutRecorded = (expr: string) => expr.replaceAll(/slo:\w+:\w+|\$__rate_interval/g, '');
    const panels = dashboards.flatMap(({ rows }) => rows.flatMap((row) => row.panels));
    for (const { title, queries } of panels) {
      for (const { expr } of queries) expect(unknown(withoutRecorded(expr)), title).to.deep.equal([]);
    }
    for (const { name, expr } of alerts) expect(unknown(withoutRecorded(expr)), name).to.deep.equal([]);
    for (const { record, expr } of recordings()) expect(unknown(expr), record).to.deep.equal([]);
    expect(unknown('max(outbox_age_seconds) > 30')).to.deep.equal(['outbox_age_seconds']);
  });

  it('compare only series that are recorded', () => {
    const recorded = new Set(recordings().map(({ record, labels }) => `${record}{slo="${labels.slo}"}`));
    const compared = alerts.flatMap(({ expr }) => [...expr.matchAll(/slo:\w+:\w+\{[^}]*\}/g)].map(([name]) => name));
    expect(compared).to.have.length.above(20);
    expect(compared.filter((name) => !recorded.has(name))).to.deep.equal([]);
  });

  it('each lead to a heading of a runbook', () => {
    expect(alertsWithoutRunbook(alerts)).to.deep.equal([]);
    expect(alertsWithoutRunbook([{ name: 'Lost' }])).to.deep.equal(['Lost']);
  });

  it('use absent() only on whether a scrape succeeded, which exists for each target', () => {
    for (const { name, expr } of alerts) expect(expr.replaceAll('absent(up{', ''), name).not.to.include('absent');
  });

  it('have windows that one number divides', () => {
    const windows = (faster: number) =>
      JSON.stringify(ruleGroups({ faster }))
        .match(/\[\d+\w+\]/g)
        ?.slice(0, 3);
    expect(windows(1)).to.deep.equal(['[5m]', '[5m]', '[5m]']);
    expect(windows(60)).to.deep.equal(['[5000ms]', '[5000ms]', '[5000ms]']);
  });

  it('are the same for Prometheus and for its operator on Kubernetes, except for the jobs that must exist', () => {
    const [local = '', kubernetes = ''] = [...alertRules().values()];
    const groupsOf = (groups: RuleGroup[]) =>
      groups.map((group) => ({ ...group, rules: group.rules.filter(({ alert }) => alert !== 'JobIsMissing') }));
    expect(groupsOf((parse(kubernetes) as { spec: { groups: RuleGroup[] } }).spec.groups)).to.deep.equal(
      groupsOf((parse(local) as { groups: RuleGroup[] }).groups),
    );
    expect(new Set(alerts.map(({ name }) => name)).size).to.equal(alerts.length);
  });
});
