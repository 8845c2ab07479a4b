import { join } from 'node:path';
import { inheritedEnv, startAlertmanager, startProcess, startPrometheus } from '@taskwire/process-supervisor';
import { jobs } from '../observability/causes.ts';
import { alertmanagerConfig, prometheusConfig, type Receivers, type Targets } from '../observability/prometheus.ts';
import { ruleGroups } from '../observability/rules.ts';
import { thisRelease } from './own-servers.ts';
import type { Person } from './people.ts';
import type { MonitoringPorts, SuitePorts } from './ports.ts';
import type { Node } from './process-graph.ts';

export type Monitoring = {
  ports: MonitoringPorts;
  /** The accounts of the probe. They are added to the suite. */
  probe: { manager: Person; member: Person };
  /** The destination of alerts; by default, the suite's own mail catcher. */
  receivers?: Receivers;
  /** Returns the free space below which PostgreSQL's disk is low. It is called when the exporter starts; by default, the exporter decides. */
  databaseDiskLimitBytes?: () => number;
  /** Divides every window and waiting time, including the probe's. */
  faster?: number;
};

/** The mail address to which the alerts of a local suite are sent. */
export const onCall = 'on-call@taskwire.test';

/** The accounts of the probe on a local suite. */
export function probeAccounts(password: string): Monitoring['probe'] {
  const account = (role: 'manager' | 'member') => ({
    email: `probe-${role}@taskwire.test`,
    name: 'Probe',
    role,
    password,
  });
  return { manager: account('manager'), member: account('member') };
}

/** The targets that Prometheus scrapes on this machine. */
export function localTargets(suite: SuitePorts, { gatewayExporter, rabbitMetrics, probe }: MonitoringPorts): Targets {
  const at = (port: number) => [`127.0.0.1:${port}`];
  return {
    auth: at(suite.auth),
    tasks: at(suite.tasks),
    notifications: at(suite.notifications),
    gateway: at(gatewayExporter),
    rabbitmq: at(rabbitMetrics),
    'rabbitmq-queues': at(rabbitMetrics),
    probe: at(probe),
  };
}

/** The processes that watch a suite: Prometheus and Alertmanager with the shipped rules, the gateway's exporter, the probe, and the documents. */
export function monitoringNodes(o: {
  monitoring: Monitoring;
  suite: SuitePorts;
  ownBroker: boolean;
  /** PostgreSQL's data, if the suite runs PostgreSQL. */
  databaseDir: string | undefined;
  gatewayUrl: string;
  dir: string;
  logFile: (name: string) => string;
}): Node[] {
  const { ports, probe, receivers = mailReceivers(o.suite.smtp), databaseDiskLimitBytes, faster = 1 } = o.monitoring;
  const program = (name: string, file: string, port: number, env: Record<string, string>) => (signal: AbortSignal) =>
    startProcess({
      name,
      signal,
      command: process.execPath,
      args: [join(thisRelease.root, 'infra', file)],
      env: { ...inheritedEnv(), PORT: String(port), GATEWAY_URL: o.gatewayUrl, ...env },
      logFile: o.logFile(name.replace(' ', '-')),
      ready: async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).status > 0,
      readyTimeoutMs: 30_000,
    });
  const account = ({ email, password }: Person) => `${email}:${password}`;
  const targets = localTargets(o.suite, ports);
  const { rabbitmq: _, 'rabbitmq-queues': __, ...withoutBroker } = targets;
  const scraped = o.ownBroker ? targets : withoutBroker;
  const prometheus = {
    dir: join(o.dir, 'prometheus'),
    port: ports.prometheus,
    files: { 'rules.yml': { groups: ruleGroups({ faster, expected: jobs.filter((job) => job in scraped) }) } },
    config: prometheusConfig({
      targets: scraped,
      alertmanager: `127.0.0.1:${ports.alertmanager}`,
      docs: `http://localhost:${ports.documents}`,
      ruleFile: 'rules.yml',
      faster,
    }),
    logFile: o.logFile('prometheus'),
  };
  const alertmanager = {
    dir: join(o.dir, 'alertmanager'),
    port: ports.alertmanager,
    config: alertmanagerConfig(receivers, { faster }),
    logFile: o.logFile('alertmanager'),
  };
  return [
    {
      name: 'gateway exporter',
      after: ['gateway'],
      start: (signal) =>
        program('gateway exporter', 'observer/run-gateway-exporter.ts', ports.gatewayExporter, {
          LOG_PORT: String(ports.gatewayExporter),
          ...(o.databaseDir !== undefined && { DATABASE_DISK_PATH: o.databaseDir }),
          ...(databaseDiskLimitBytes && { DATABASE_DISK_LIMIT_BYTES: String(databaseDiskLimitBytes()) }),
        })(signal),
    },
    {
      name: 'probe',
      after: ['gateway', 'people'],
      start: program('probe', 'observer/run-probe.ts', ports.probe, {
        PROBE_MANAGER: account(probe.manager),
        PROBE_MEMBER: account(probe.member),
        PROBE_EVERY_MS: String(60_000 / faster),
      }),
    },
    {
      name: 'documents',
      after: [],
      start: program('documents', 'observability/programs/documents.ts', ports.documents, {}),
    },
    { name: 'alertmanager', after: [], start: (signal) => startAlertmanager({ ...alertmanager, signal }) },
    // after its targets, so that a slow start does not count as an outage
    {
      name: 'prometheus',
      after: ['alertmanager', 'gateway exporter', 'probe'],
      start: (signal) => startPrometheus({ ...prometheus, signal }),
    },
  ];
}

function mailReceivers(smtpPort: number): Receivers {
  const mail = (subject: string) => ({
    email_configs: [
      {
        to: onCall,
        from: 'alertmanager@taskwire.test',
        smarthost: `127.0.0.1:${smtpPort}`,
        require_tls: false,
        send_resolved: true,
        headers: { Subject: `${subject} {{ .Status }}: {{ .GroupLabels.alertname }}` },
        text: '{{ range .Alerts }}{{ .Annotations.summary }}\n{{ .Annotations.runbook_url }}\n{{ end }}',
      },
    ],
  });
  return { page: mail('Page'), ticket: mail('Ticket') };
}
