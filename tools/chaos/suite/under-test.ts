import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { databaseUrl } from '@taskwire/process-supervisor';
import { freeSuitePorts, type SuitePorts } from '../../../infra/local/ports.ts';
import { thisRelease, type Release } from '../../../infra/local/own-servers.ts';
import { newSecrets, serviceNames, type ServiceName } from '../../../infra/local/secrets.ts';
import { startSuite, type Suite } from '../../../infra/local/suite.ts';
import type { ProcessEvent, SupervisedProcess } from '../../../infra/local/supervised-process.ts';
import type { BugName } from '../bugs.ts';
import type { Crash, RecordedEvent } from '../evidence.ts';
import { admin, createKnownState, follower, reassigner, type KnownState } from '../workload/actors.ts';
import { clockFile, setClock } from './clock.ts';
import { proxiedEnv, startProxies, stopProxies, type Proxies } from './proxied.ts';
import { startRecorder, type Recorder } from './recorder.ts';
import { furtherReplicas, serviceOf, type ReplicaName } from './further-replicas.ts';

/** Every process that can be killed. */
export type ProcessName = ServiceName | ReplicaName | 'rabbitmq' | 'postgres';

/** A suite with a fault proxy in every link and one or more processes of each service, and the operator's direct access that bypasses the proxies. */
export type SuiteUnderTest = {
  suite: Suite;
  process(name: ProcessName): SupervisedProcess;
  /** Returns the processes of a service, each with an address that bypasses the proxies. */
  replicas(service: ServiceName): Replica[];
  proxies: Proxies;
  recorder: Recorder;
  /** Returns the URL of a service's database with a superuser's login, which bypasses the proxies. */
  databaseUrl(service: ServiceName): string;
  /** Sets the offset of a service's wall clock from the machine's. */
  setClock(service: ServiceName, offsetMs: number): void;
  /** The environment required by the broker's own commands. */
  brokerDir: string;
  ports: SuitePorts;
  stop(): Promise<void>;
};

export type Replica = { name: ServiceName | ReplicaName; url: string };

export type UnderTestOptions = {
  dir: string;
  /** The processes of each service: one or two with both roles, or two that serve requests and two that do the background work. */
  replicas: 1 | 2 | 'two of each role';
  /** Returns the release with which a process starts; by default this one. */
  releaseOf?: (process: Replica['name']) => Release;
  /** Deliberate bugs. */
  planted: readonly BugName[];
  onEvent: (event: RecordedEvent) => void;
  onCrash: (crash: Crash) => void;
  say: (text: string) => void;
  signal: AbortSignal;
};

/** Starts the suite in `dir`, and creates the accounts of the operator's users. */
export async function startUnderTest(o: UnderTestOptions): Promise<{ underTest: SuiteUnderTest; known: KnownState }> {
  const [ports, secrets, releaseOf] = [await freeSuitePorts(), newSecrets(), o.releaseOf ?? (() => thisRelease)];
  const replicaPorts = new Map<ReplicaName, number>();
  for (const names of replicaSets(o.replicas)) {
    const free = await freeSuitePorts();
    for (const name of names) replicaPorts.set(name, free[serviceOf(name)]);
  }
  const replicasOf = (service: ServiceName): [Replica['name'], number][] => [
    [service, ports[service]],
    ...[...replicaPorts].filter(([name]) => serviceOf(name) === service),
  ];
  const servicePorts = mapServices((service) =>
    replicasOf(service).flatMap(([name, port]) => (name.endsWith(' worker') ? [] : [port])),
  );
  const proxies = await startProxies(ports, servicePorts);
  const fileOf = (service: ServiceName) => clockFile(o.dir, service);
  for (const service of serviceNames) setClock(fileOf(service), 0);
  const env = (name: Replica['name']) => ({
    ...proxiedEnv(serviceOf(name), { proxies, ports, secrets, clockFile: fileOf(serviceOf(name)), planted: o.planted }),
    ...(o.replicas === 'two of each role' && { PROCESS_ROLE: name.endsWith(' worker') ? 'worker' : 'api' }),
  });

  // creating these accounts also publishes events, which must not be sent before the recorder is ready
  proxies['auth-rabbitmq'].set({ kind: 'cut' });
  const recorder = startRecorder({
    url: `amqp://taskwire:${secrets.amqp.operator}@127.0.0.1:${ports.amqp}/taskwire`,
    onBound: () => proxies['auth-rabbitmq'].heal(),
    onEvent: o.onEvent,
  });
  const logFile = (name: string) => join(o.dir, 'logs', `${name}.log`);
  const further = furtherReplicas({
    names: [...replicaPorts.keys()],
    port: (name) => replicaPorts.get(name) ?? 0,
    ...{ env, releaseOf, logFile, onEvent: onProcessEvent },
  });
  const known = createKnownState();
  const people = [
    known.addUser(admin, 'admin'),
    known.addUser(reassigner, 'manager'),
    known.addUser(follower, 'member'),
  ];
  let suite: Suite | undefined;
  const processNamed = (name: ProcessName) => further[name as ReplicaName] ?? suite?.process(name);

  /** Faults kill with -9. If a service ends in any other way, this is a fault in the service, which is restarted, as it would be in production. */
  function onProcessEvent(event: ProcessEvent): void {
    if (
      event.kind !== 'exited' ||
      event.how.includes('SIGKILL') ||
      !/^(second )?(auth|tasks|notifications)( worker)?$/.test(event.process)
    )
      return;
    o.onCrash({ process: event.process, how: event.how, errors: lastErrors(event.logFile) });
    void processNamed(event.process as ProcessName)
      ?.start()
      .catch(() => undefined);
  }

  async function stop(): Promise<void> {
    await recorder.stop();
    await Promise.all(Object.values(further).map((replica) => replica.stop()));
    await suite?.stop();
    await stopProxies(proxies);
  }

  try {
    const started = await startSuite({
      ...{ dir: o.dir, ports, secrets, signal: o.signal },
      restarts: 'manual',
      onEvent: onProcessEvent,
      people: people.map(({ email, name, role, password }) => ({ email, name, role, password })),
      // acknowledged changes must survive a kill of the server, which `synchronous_commit` off would not guarantee
      postgresSettings: { fsync: 'off', full_page_writes: 'off' },
      // as in production, the gateway itself balances the processes that only serve requests: through a proxy, it would notice a closed connection
      // too late
      gateway: gatewayOptions((service) =>
        o.replicas === 'two of each role'
          ? servicePorts[service].map((port) => `127.0.0.1:${port}`)
          : `127.0.0.1:${proxies[`gateway-${service}`].port}`,
      ),
      ...{ env: mapServices(env), releaseOf },
      onProgress: ({ name, state, tookMs }) => {
        if (state === 'ready') o.say(`${name} is ready after ${(tookMs / 1000).toFixed(1)} s`);
      },
    });
    suite = started;
    await Promise.all(Object.values(further).map((replica) => replica.start()));
    const replicas = (service: ServiceName) =>
      replicasOf(service).map(([name, port]): Replica => ({ name, url: `http://127.0.0.1:${port}` }));
    const superuser = { login: 'postgres', password: secrets.database.superuser };
    const underTest: SuiteUnderTest = {
      ...{
        suite,
        process: (name) => processNamed(name) ?? started.process(name),
        replicas,
        proxies,
        recorder,
        ports,
        stop,
      },
      databaseUrl: (service) =>
        databaseUrl(`postgres://127.0.0.1:${ports.postgres}/`, { ...superuser, database: `taskwire_${service}` }),
      setClock: (service, offsetMs) => setClock(fileOf(service), offsetMs),
      brokerDir: join(o.dir, 'rabbitmq'),
    };
    return { underTest, known };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Returns the additional processes of all services, in sets that contain one process of each service. */
function replicaSets(replicas: UnderTestOptions['replicas']): ReplicaName[][] {
  const seconds = serviceNames.map((service) => `second ${service}` as const);
  if (replicas === 1) return [];
  if (replicas === 2) return [seconds];
  return [
    seconds,
    serviceNames.map((service) => `${service} worker` as const),
    seconds.map((second) => `${second} worker` as const),
  ];
}

const shownErrors = 3;

function lastErrors(logFile: string): string[] {
  const lines = readFileSync(logFile, 'utf8').split('\n');
  return lines.filter((line) => line.includes('"level":"error"') || !line.startsWith('{')).slice(-shownErrors - 1);
}

function mapServices<T>(make: (service: ServiceName) => T): Record<ServiceName, T> {
  return Object.fromEntries(serviceNames.map((name) => [name, make(name)])) as Record<ServiceName, T>;
}

function gatewayOptions(upstream: (service: ServiceName) => string | readonly string[]) {
  return {
    upstreams: mapServices(upstream),
    // every user has a separate address
    trustedProxy: '127.0.0.1',
    loginsPerMinute: 6_000,
    loginBurst: 1_000,
  };
}
