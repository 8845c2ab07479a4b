import { mkdirSync, writeFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { databaseUrl, startFaultProxy, type FaultProxy } from '@taskwire/process-supervisor';
import pg from 'pg';
import { localTargets, probeAccounts, type Monitoring } from '../../infra/local/monitoring.ts';
import { ownAmqpUrl, ownDatabase } from '../../infra/local/own-servers.ts';
import { demoPassword, demoPeople } from '../../infra/local/people.ts';
import { freeMonitoringPorts, freeSuitePorts } from '../../infra/local/ports.ts';
import { newSecrets, type ServiceName } from '../../infra/local/secrets.ts';
import { startSuite, type Suite } from '../../infra/local/suite.ts';
import type { Targets } from '../../infra/observability/prometheus.ts';
import { ownPostgresUrl } from '../../infra/local/wiring.ts';
import { startMailServer, type MailMode } from './mail-server.ts';
import type { Webhook } from './webhook.ts';

/**
 * Windows and waiting times are divided by this. At 120, six hours are three minutes, which have to pass before the alert about the slowest burn rate
 * ends; and five minutes are 2.5 s, which is enough for two scrapes.
 */
export const faster = 120;

/** A suite with its monitoring, and the ways to disturb it. */
export type World = {
  suite: Suite;
  ports: Monitoring['ports'];
  targets: Targets;
  /** A direct connection to a service's database, as superuser. */
  connect(service: ServiceName): Promise<pg.Client>;
  /** Runs one statement there. */
  sql(service: ServiceName, text: string, values?: unknown[]): Promise<pg.QueryResult<Record<string, unknown>>>;
  /** The link between Notifications and RabbitMQ. */
  brokerLink: FaultProxy;
  /** The link between Tasks and PostgreSQL. */
  databaseLink: FaultProxy;
  /** Sets the free space below which PostgreSQL's disk is low, as a multiple of the present free space, and restarts the exporter. */
  setDiskLimit(share: number): Promise<void>;
  setMail(mode: MailMode): void;
  /** Whether PostgreSQL can archive its log. */
  archive(works: 'works' | 'fails'): void;
  /** A request of a demo user through the gateway. */
  call(
    user: string,
    method: string,
    path: string,
    body?: object,
  ): Promise<{ status: number; body: Record<string, unknown> }>;
  broker: { dir: string; epmdPort: number };
  /** The folder of Prometheus. */
  monitoringDir: string;
  /** The file with the configuration of nginx. */
  gatewayConfig: string;
  stop(): Promise<void>;
};

export async function startWorld(dir: string, webhook: Webhook, signal: AbortSignal): Promise<World> {
  const [ports, monitoringPorts, secrets] = [await freeSuitePorts(), await freeMonitoringPorts(), newSecrets()];
  const mail = await startMailServer();
  const brokerLink = await startFaultProxy({ targetPort: ports.amqp });
  const databaseLink = await startFaultProxy({ targetPort: ports.postgres });
  const freeSpace = async () => {
    const { bavail, bsize } = await statfs(dir);
    return bavail * bsize;
  };
  // so that the alert does not fire, whatever the disk of this machine
  let diskLimit = (await freeSpace()) / 2;
  const archiveFolder = join(dir, 'archive');
  mkdirSync(archiveFolder, { recursive: true });
  const archiveFile = join(archiveFolder, 'state');
  writeFileSync(archiveFile, 'works');
  const webhookAt = (path: string) => ({ webhook_configs: [{ url: `${webhook.url}/${path}`, send_resolved: true }] });
  const suite = await startSuite({
    ...{ dir, ports, secrets, signal },
    external: { databases: {}, smtpUrl: mail.url },
    restarts: 'manual',
    people: demoPeople,
    postgresSettings: {
      fsync: 'off',
      full_page_writes: 'off',
      archive_mode: 'on',
      archive_command: `grep -q works ${archiveFile}`,
    },
    env: {
      notifications: { AMQP_URL: ownAmqpUrl('notifications', { ...ports, amqp: brokerLink.port }, secrets) },
      tasks: {
        DATABASE_URL: databaseUrl(
          ownPostgresUrl({ ...ports, postgres: databaseLink.port }, secrets),
          ownDatabase('tasks', secrets),
        ),
      },
    },
    gateway: { requestsPerSecond: 2_000, burst: 2_000, loginsPerMinute: 1_200, loginBurst: 200 },
    monitoring: {
      ports: monitoringPorts,
      probe: probeAccounts(demoPassword),
      databaseDiskLimitBytes: () => diskLimit,
      receivers: { page: webhookAt('page'), ticket: webhookAt('ticket') },
      faster,
    },
  });
  const connect = async (service: ServiceName): Promise<pg.Client> => {
    const { pathname } = new URL(suite.databaseUrl(service));
    const superuser = { database: pathname.slice(1), login: 'postgres', password: secrets.database.superuser };
    const client = new pg.Client({ connectionString: databaseUrl(suite.databaseUrl(service), superuser) });
    // a fault may end the server
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  const tokens = new Map<string, string>();

  async function request(token: string | undefined, method: string, path: string, body?: object) {
    const response = await fetch(`${suite.url}${path}`, {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        'if-match': '*',
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> };
  }

  return {
    suite,
    ports: monitoringPorts,
    targets: localTargets(ports, monitoringPorts),
    connect,
    async sql(service, text, values) {
      const client = await connect(service);
      try {
        return await client.query<Record<string, unknown>>(text, values);
      } finally {
        await client.end();
      }
    },
    brokerLink,
    databaseLink,
    async setDiskLimit(share) {
      diskLimit = (await freeSpace()) * share;
      const exporter = suite.process('gateway exporter');
      await exporter.kill();
      await exporter.start();
    },
    setMail: mail.set,
    archive: (works) => writeFileSync(archiveFile, works),
    async call(user, method, path, body) {
      let token = tokens.get(user);
      if (token === undefined) {
        const login = { email: `${user}@taskwire.test`, password: demoPassword };
        const { body: session } = await request(undefined, 'POST', '/api/v1/auth/login', login);
        token = String(session['access_token']);
        tokens.set(user, token);
      }
      const answer = await request(token, method, path, body);
      if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
      return answer;
    },
    broker: { dir: join(dir, 'rabbitmq'), epmdPort: ports.epmd },
    monitoringDir: join(dir, 'prometheus'),
    gatewayConfig: join(dir, 'nginx', 'nginx.conf'),
    async stop() {
      await suite.stop();
      await brokerLink.stop();
      await databaseLink.stop();
      await mail.close();
    },
  };
}

/** Waits for the effect of a fault. @throws after 20 s */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('the fault has no effect');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
