import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findAlertmanager, findPrometheus, freePorts, startAlertmanager } from '@taskwire/process-supervisor';
import { alertmanagerConfig, prometheusConfig } from '../../infra/observability/prometheus.ts';
import { ruleGroups } from '../../infra/observability/rules.ts';
import { ruleCases } from './rule-cases.ts';
import { ruleTests } from './rule-tests.ts';
import { startWebhook } from './webhook.ts';

const run = promisify(execFile);
const shipped = (name: string) => fileURLToPath(new URL(`../../infra/observability/${name}`, import.meta.url));

/** Runs the shipped rules through promtool, by default the installed one: syntax, and the tests of every alert. Returns what it checked. */
export async function checkRules(dir: string, promtool = findPrometheus()?.tool ?? 'promtool'): Promise<string> {
  mkdirSync(dir, { recursive: true });
  const write = (name: string, content: object) => writeFileSync(join(dir, name), JSON.stringify(content));
  const groups = ruleGroups();
  const rules = groups.flatMap((group) => group.rules);
  const ofObjectives = ruleCases.filter(({ labels }) => labels['slo'] !== undefined);
  const others = ruleCases.filter(({ labels }) => labels['slo'] === undefined);
  // most of the rules record objectives; the other alerts do not need them, and are evaluated far more often
  write('all.yml', { groups });
  write('alerts.yml', { groups: groups.filter(({ name }) => name === 'taskwire') });
  const all = { ruleFile: 'all.yml', every: 5, groups: groups.map(({ name }) => name) };
  write('objectives-test.yml', ruleTests(ofObjectives, rules, all));
  write('alerts-test.yml', ruleTests(others, rules, { ruleFile: 'alerts.yml', every: 1, groups: ['taskwire'] }));
  write(
    'prometheus.yml',
    prometheusConfig({ targets: {}, alertmanager: 'localhost:9093', docs: '', ruleFile: 'all.yml' }),
  );
  await run(promtool, ['check', 'rules', shipped('prometheus-rules.yaml')]);
  await run(promtool, ['check', 'config', join(dir, 'prometheus.yml')]);
  // the alerts that run beside it measure time
  const { stdout } = await run('nice', [
    ...['-n', '19', promtool, 'test', 'rules'],
    ...[join(dir, 'objectives-test.yml'), join(dir, 'alerts-test.yml')],
  ]).catch((error: unknown) => {
    throw new Error(`promtool: ${(error as { stdout?: string }).stdout ?? String(error)}`);
  });
  if (stdout.split('SUCCESS').length !== 3) throw new Error(`promtool: ${stdout}`);
  const { stdout: version } = await run(promtool, ['--version']);
  return `${rules.length} rules and ${ruleCases.length} cases with ${version.split(' ', 3).join(' ').replace(', version', '')}`;
}

/** Checks the example of receivers and, with a running Alertmanager, that causes inhibit their consequences and nothing else. */
export async function checkRouting(dir: string, signal: AbortSignal): Promise<string> {
  const amtool = findAlertmanager()?.tool ?? 'amtool';
  await run(amtool, ['check-config', shipped('alertmanager.example.yaml')]);
  const example = readFileSync(shipped('alertmanager.example.yaml'), 'utf8');
  const [webhook, [port]] = [await startWebhook(), (await freePorts(1)) as [number]];
  const receiver = { webhook_configs: [{ url: webhook.url }] };
  const config = alertmanagerConfig({ page: receiver, ticket: receiver }, { faster: 60 });
  const server = await startAlertmanager({ dir, port, config, signal });
  const amtoolOn = async (...args: string[]) =>
    (await run(amtool, [`--alertmanager.url=http://127.0.0.1:${port}`, ...args])).stdout;
  try {
    const rules = ruleGroups().flatMap((group) => group.rules);
    const add = async (name: string, ...labels: string[]) => {
      const given = rules.find(({ alert }) => alert === name)?.labels ?? {};
      await amtoolOn(
        'alert',
        'add',
        `alertname=${name}`,
        ...Object.entries(given).map(([key, value]) => `${key}=${value}`),
        ...labels,
      );
    };
    await add('BrokerIsDown');
    await add('CauseIsPast', 'past_cause=postgres');
    for (const name of ['OutboxIsLate', 'NotificationsAreLate', 'ApiIsUnavailable', 'DeadLetters', 'GatewayIsDown'])
      await add(name);
    const inhibited = await amtoolOn('alert', 'query', '--inhibited', '--output=json');
    const names = (JSON.parse(inhibited) as { labels: { alertname: string }; status: { inhibitedBy: string[] } }[])
      .filter(({ status }) => status.inhibitedBy.length > 0)
      .map(({ labels }) => labels.alertname)
      .sort();
    const expected = ['ApiIsUnavailable', 'NotificationsAreLate', 'OutboxIsLate'];
    if (names.join() !== expected.join())
      throw new Error(`inhibited: ${names.join(', ')}; expected ${expected.join(', ')}`);
    if (!example.includes('pagerduty_configs') || !example.includes('slack_configs'))
      throw new Error('the example lacks PagerDuty or Slack');
    return `${expected.length} of 7 alerts are inhibited`;
  } finally {
    await server.stop();
    await webhook.close();
  }
}
