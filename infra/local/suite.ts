import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  inheritedEnv,
  provisionDatabase,
  startMailCatcher,
  startNginx,
  startPostgres,
  startRabbit,
} from '@taskwire/process-supervisor';
import { assembleDocs } from '../gateway/docs.ts';
import { renderGateway, type GatewayOptions } from '../gateway/render.ts';
import type { ExternalServers } from './external-servers.ts';
import {
  applyPolicies,
  migrateService,
  operator,
  ownDatabase,
  ownTopology,
  startService,
  thisRelease,
  type Release,
} from './own-servers.ts';
import { monitoringNodes, type Monitoring } from './monitoring.ts';
import { startGraph, type Node, type ProcessGraph, type Progress } from './process-graph.ts';
import type { SuitePorts } from './ports.ts';
import { serviceNames, type Secrets, type ServiceName } from './secrets.ts';
import type { CallingService } from './service-clients.ts';
import { serviceEnv } from './service-env.ts';
import type { ProcessEvent, Restarts } from './supervised-process.ts';
import { addPeople, untilTasksKnows, type Person } from './people.ts';
import { gatewayUrl, ownPostgresUrl, suiteWiring } from './wiring.ts';

export type SuiteOptions = {
  /** Data, configuration and logs; nothing is written elsewhere. */
  dir: string;
  ports: SuitePorts;
  secrets: Secrets;
  external?: ExternalServers;
  restarts: Restarts;
  /** People to add; existing people stay unchanged. */
  people?: readonly Person[];
  onEvent?: (event: ProcessEvent) => void;
  onProgress?: (progress: Progress) => void;
  logLevel?: string;
  /** Environment variables of a service that differ from the defaults. */
  env?: Partial<Record<ServiceName, Record<string, string>>>;
  gateway?: Partial<Omit<GatewayOptions, 'corsOrigins' | 'metricsLog'>>;
  /** Also runs Prometheus and Alertmanager, and the processes that they need. */
  monitoring?: Monitoring;
  /** Origins of pages whose scripts may call the gateway. */
  corsOrigins?: readonly string[];
  postgresSettings?: Record<string, string>;
  /** Returns the release to run when a service starts; by default this one. */
  releaseOf?: (service: ServiceName) => Release;
  /** Aborts the start; processes started so far are stopped. */
  signal?: AbortSignal;
};

export type Suite = Pick<ProcessGraph, 'process' | 'processes' | 'stop'> & {
  /** The gateway's URL, as a front end sees it. */
  url: string;
  /** A service's own address, bypassing the gateway. */
  serviceUrl(service: ServiceName): string;
  /** The database's URL, with the login that owns the database. */
  databaseUrl(service: ServiceName): string;
  /** The broker's URL, with the login of a service, or of the operator, who may read and bind everything. */
  amqpUrl(user: ServiceName | 'operator'): string;
  /** The environment with which a service, or its command line, is started. */
  envOf(service: ServiceName): NodeJS.ProcessEnv;
  /** A service's credentials for calling others. */
  m2mClient(service: CallingService): { id: string; privateKey: string; issuer: string };
  managementUrl: string;
  /** Origins of pages whose scripts may call the gateway. */
  corsOrigins: readonly string[];
  smtpUrl: string;
  /** The mail catcher's page; its API is under /api/email. */
  mailPageUrl: string;
};

/** All of Taskwire on one machine: every process, and its dependencies. `npm start`, the end-to-end tests, the demo and the benchmarks run this. */
export async function startSuite(o: SuiteOptions): Promise<Suite> {
  const { ports, secrets, external = { databases: {} } } = o;
  const url = gatewayUrl(ports);
  const logFile = (name: string) => join(o.dir, 'logs', `${name}.log`);
  const wiring = suiteWiring({ ports, secrets, external, logLevel: o.logLevel });
  const postgresUrl = ownPostgresUrl(ports, secrets);
  const managementUrl =
    external.managementUrl ?? `http://${operator}:${secrets.amqp.operator}@127.0.0.1:${ports.management}`;
  const { corsOrigins = [], releaseOf = () => thisRelease, monitoring } = o;
  const people = [...(o.people ?? []), ...(monitoring ? [monitoring.probe.manager, monitoring.probe.member] : [])];
  const envOf = (service: ServiceName) => ({
    ...inheritedEnv(),
    ...serviceEnv(service, wiring),
    CORS_ORIGINS: corsOrigins.join(','),
    ...o.env?.[service],
  });

  const postgresDir = join(o.dir, 'postgres');
  const postgres: Node = {
    name: 'postgres',
    after: [],
    start: (signal) =>
      startPostgres({
        signal,
        dir: postgresDir,
        port: ports.postgres,
        password: secrets.database.superuser,
        logFile: logFile('postgres'),
        ...(o.postgresSettings && { settings: o.postgresSettings }),
      }),
  };
  const rabbitmq: Node = {
    name: 'rabbitmq',
    after: [],
    start: (signal) =>
      startRabbit({
        signal,
        dir: join(o.dir, 'rabbitmq'),
        amqpPort: ports.amqp,
        managementPort: ports.management,
        epmdPort: ports.epmd,
        distPort: ports.erlang,
        ...(monitoring && { metricsPort: monitoring.ports.rabbitMetrics }),
        topology: ownTopology(secrets),
        logFile: logFile('rabbitmq'),
      }),
  };
  const policies: Node = {
    name: 'rabbitmq',
    after: [],
    run: () => applyPolicies(wiring.amqpUrl('operator'), external.managementUrl),
  };
  const mail: Node = {
    name: 'mail',
    after: [],
    start: (signal) =>
      startMailCatcher({
        signal,
        dir: join(o.dir, 'mail'),
        smtpPort: ports.smtp,
        webPort: ports.mailPage,
        logFile: logFile('mail'),
      }),
  };
  const migrated = (service: ServiceName): Node => ({
    name: `${service} database`,
    after: external.databases[service] === undefined ? ['postgres'] : [],
    async run(signal) {
      if (external.databases[service] === undefined)
        await provisionDatabase(postgresUrl, ownDatabase(service, secrets));
      const to = { env: envOf(service), logFile: logFile(`${service}-migrate`) };
      await migrateService(service, { ...to, signal, release: releaseOf(service) });
    },
  });
  const serviceUrl = (name: ServiceName): string => `http://127.0.0.1:${ports[name]}`;
  const addedPeople: Node = {
    name: 'people',
    // the other services' queues must exist before Auth's first events; otherwise these would be returned and retried
    after: [...serviceNames],
    async run(signal) {
      await addPeople(people, { env: envOf('auth'), logFile: logFile('people'), signal, release: releaseOf('auth') });
      await untilTasksKnows(people, { auth: serviceUrl('auth'), tasks: serviceUrl('tasks') }, signal);
    },
  };
  const service = (name: ServiceName, ...after: string[]): Node => ({
    name,
    after: [`${name} database`, 'rabbitmq', ...after],
    start: (signal) => {
      const at = { port: ports[name], env: envOf(name), logFile: logFile(name) };
      return startService(name, { ...at, signal, release: releaseOf(name) });
    },
  });
  const gateway: Node = {
    name: 'gateway',
    after: [...serviceNames],
    async start(signal) {
      const docsRoot = join(o.dir, 'docs');
      const prefixDir = join(o.dir, 'nginx');
      mkdirSync(prefixDir, { recursive: true });
      await assembleDocs(docsRoot);
      const { auth, tasks, notifications } = ports;
      const upstreams = {
        auth: `127.0.0.1:${auth}`,
        tasks: `127.0.0.1:${tasks}`,
        notifications: `127.0.0.1:${notifications}`,
      };
      const metricsLog = monitoring && `127.0.0.1:${monitoring.ports.gatewayExporter}`;
      const own = {
        port: ports.gateway,
        upstreams,
        docsRoot,
        prefixDir,
        corsOrigins,
        ...(metricsLog && { metricsLog }),
      };
      const conf = renderGateway({ ...own, ...o.gateway });
      return startNginx({ dir: prefixDir, conf, port: ports.gateway, logFile: logFile('gateway'), signal });
    },
  };

  const ownPostgres = serviceNames.some((name) => external.databases[name] === undefined);
  const graph = await startGraph(
    [
      ...(ownPostgres ? [postgres] : []),
      external.amqpUrl === undefined ? rabbitmq : policies,
      ...(external.smtpUrl === undefined ? [mail] : []),
      ...serviceNames.map(migrated),
      service('auth'),
      // both could start without Auth, but would log that it is unavailable until it is ready
      service('tasks', 'auth'),
      service('notifications', 'auth', ...(external.smtpUrl === undefined ? ['mail'] : [])),
      gateway,
      ...(people.length === 0 ? [] : [addedPeople]),
      ...(monitoring === undefined
        ? []
        : monitoringNodes({
            ...{ monitoring, suite: ports, ownBroker: external.amqpUrl === undefined, gatewayUrl: url },
            ...{ dir: o.dir, logFile, databaseDir: ownPostgres ? postgresDir : undefined },
          })),
    ],
    {
      restarts: o.restarts,
      onEvent: o.onEvent ?? (() => undefined),
      onProgress: o.onProgress ?? (() => undefined),
      ...(o.signal && { signal: o.signal }),
    },
  );
  return {
    ...graph,
    url,
    serviceUrl,
    envOf,
    databaseUrl: wiring.databaseUrl,
    amqpUrl: wiring.amqpUrl,
    m2mClient: (service) => ({ id: service, privateKey: secrets.clientKeys[service], issuer: `${url}/oidc` }),
    managementUrl,
    corsOrigins,
    smtpUrl: wiring.smtpUrl,
    mailPageUrl: `http://localhost:${ports.mailPage}`,
  };
}
