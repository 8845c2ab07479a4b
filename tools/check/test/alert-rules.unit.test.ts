import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { alerts } from '../../../infra/observability/alerts.ts';
import { alertRules, alertsWithoutRunbook } from '../alert-rules.ts';
import { root } from '../step.ts';

describe('The alerts', () => {
  it('use only metrics that a service has', () => {
    const sources = globSync('{packages,services}/*/src/**/*.ts', { cwd: root }).map((file) =>
      readFileSync(join(root, file), 'utf8'),
    );
    const unknown = (text: string) =>
      [...text.matchAll(/\b[a-z]+(?:_[a-z]+)+\b/g)]
        .map(([name]) => name.replace(/_(bucket|sum|count)$/, ''))
        .filter((name) => name !== 'histogram_quantile' && !sources.some((source) => source.includes(`'${name}'`)));
    for (const { name, expr } of alerts) expect(unknown(expr), name).to.deep.equal([]);
    expect(unknown('max(outbox_age_seconds) > 30')).to.deep.equal(['outbox_age_seconds']);
  });

  it('each lead to a heading of a document', () => {
    const [alert] = alerts;
    expect(alertsWithoutRunbook(alerts)).to.deep.equal([]);
    expect(
      alertsWithoutRunbook([{ ...alert!, name: 'Lost', runbook: 'docs/runbooks/failover.md#nowhere' }]),
    ).to.deep.equal(['Lost']);
  });

  it('are the same for Prometheus and for its operator on Kubernetes', () => {
    const [local, kubernetes] = [...alertRules().values()].map((text): unknown => parse(text));
    expect(kubernetes).to.have.property('spec').that.deep.equals(local);
    expect(new Set(alerts.map(({ name }) => name)).size).to.equal(alerts.length);
  });
});
