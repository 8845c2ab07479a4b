import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { databaseUrl } from '@taskwire/process-supervisor';
import { freeSuitePorts, type SuitePorts } from '../../../infra/local/ports.ts';
import { newSecrets, serviceNames, type ServiceName } from '../../../infra/local/secrets.ts';
import { startSuite, type Suite } from '../../../infra/local/suite.ts';
import type { ProcessEvent, SupervisedProcess } from '../../../infra/local/supervised-process.ts';
import type { BugName } from '../bugs.ts';
import type { Crash, RecordedEvent } from '../evidence.ts';
import { admin, createKnownState, reassigner, type KnownState } from '../workload/actors.ts';
import { clockFile, setClock } from './clock.ts';
import { proxiedEnv, startProxies, stopProxies, type Proxies } from './proxied.ts';
import { startRecorder, type Recorder } from './recorder.ts';
import { secondReplicas, type SecondReplica } from './second-replicas.ts';

/** Every process that can be killed. */
export type ProcessName = ServiceName | SecondReplica | 'rabbitmq' | 'postgres';

/** A suite with a fault proxy in every link and one or two processes of each service, and the operator's direct access that bypasses the proxies. */
export type SuiteUnderTest = {
  suite: Suite;
  process(name: ProcessName): SupervisedProcess;
  /** The processes of a service, and the address of each that bypasses the proxies. */
  replicas(service: ServiceName): Replica[];
  proxies: Proxies;
  recorder: Recorder;
  /** A superuser's URL of a service's database, which bypasses the proxies. */
  databaseUrl(service: ServiceName): string;
  /** Sets the offset of a service's wall clock from the machine's. */
  setClock(service: ServiceName, offsetMs: number): void;
  /** The environment required by the broker's own commands. */
  brokerDir: string;
  ports: SuitePorts;
  stop(): Promise<void>;
};

export type Replica = { name: ServiceName | SecondReplica; url: string };

export type UnderTestOptions = {
  dir: string;
  /** The number of processes of each service. */
  replicas: 1 | 2;
  bug: BugName | undefined;
  onEvent: (event: RecordedEvent) => void;
  onCrash: (crash: Crash) => void;
  say: (text: string) => void;
  signal: AbortSignal;
};

/** Starts the suite in `dir`, and creates the accounts of the operator's users. */
export async function startUnderTest(o: UnderTestOptions): Promise<{ underTest: SuiteUnderTest; known: KnownState }> {
  const [ports, secondPorts, secrets] = [await freeSuitePorts(), await freeSuitePorts(), newSecrets()];
  const servicePorts = mapServices((service) => [ports[service], secondPorts[service]].slice(0, o.replicas));
  const proxies = await startProxies(ports, servicePorts);
  const fileOf = (service: ServiceName) => clockFile(o.dir, service);
  for (const service of serviceNames) setClock(fileOf(service), 0);
  const env = (service: ServiceName) =>
    proxiedEnv(service, { proxies, ports, secrets, clockFile: fileOf(service), bug: o.bug });

  // creating these accounts publishes events too, which must not precede the recorder
  proxies['auth-rabbitmq'].set({ kind: 'cut' });
  const recorder = startRecorder({
    url: `amqp://taskwire:${secrets.amqp.operator}@127.0.0.1:${ports.amqp}/taskwire`,
    onBound: () => proxies['auth-rabbitmq'].heal(),
    onEvent: o.onEvent,
  });
  const logFile = (name: string) => join(o.dir, 'logs', `${name}.log`);
  const seconds =
    o.replicas === 2 ? secondReplicas({ ports: secondPorts, env, logFile, onEvent: onProcessEvent }) : undefined;
  const known = createKnownState();
  const people = [known.addUser(admin, 'admin'), known.addUser(reassigner, 'manager')];
  let suite: Suite | undefined;
  const processNamed = (name: ProcessName) => seconds?.[name as SecondReplica] ?? suite?.process(name);

  /** Faults kill with -9. Any other end of a service is a fault of its own; it is restarted, as it would be in production. */
  function onProcessEvent(event: ProcessEvent): void {
    if (
      event.kind !== 'exited' ||
      event.how.includes('SIGKILL') ||
      !/^(second )?(auth|tasks|notifications)$/.test(event.process)
    )
      return;
    o.onCrash({ process: event.process, how: event.how, errors: lastErrors(event.logFile) });
    void processNamed(event.process as ProcessName)
      ?.start()
      .catch(() => undefined);
  }

  async function stop(): Promise<void> {
    await recorder.stop();
    await Promise.all(Object.values(seconds ?? {}).map((replica) => replica.stop()));
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
      gateway: gatewayOptions(proxies),
      env: mapServices(env),
      onProgress: ({ name, state, tookMs }) => {
        if (state === 'ready') o.say(`${name} is ready after ${(tookMs / 1000).toFixed(1)} s`);
      },
    });
    suite = started;
    await Promise.all(Object.values(seconds ?? {}).map((replica) => replica.start()));
    const replicas = (service: ServiceName) =>
      servicePorts[service].map((port, index): Replica => {
        return { name: index === 0 ? service : `second ${service}`, url: `http://127.0.0.1:${port}` };
      });
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

const shownErrors = 3;

function lastErrors(logFile: string): string[] {
  const lines = readFileSync(logFile, 'utf8').split('\n');
  return lines.filter((line) => line.includes('"level":"error"') || !line.startsWith('{')).slice(-shownErrors - 1);
}

function mapServices<T>(make: (service: ServiceName) => T): Record<ServiceName, T> {
  return Object.fromEntries(serviceNames.map((name) => [name, make(name)])) as Record<ServiceName, T>;
}

function gatewayOptions(proxies: Proxies) {
  const upstream = (service: ServiceName) => `127.0.0.1:${proxies[`gateway-${service}`].port}`;
  return {
    upstreams: {
      auth: upstream('auth'),
      tasks: upstream('tasks'),
      notifications: upstream('notifications'),
    },
    // every user has a separate address
    trustedProxy: '127.0.0.1',
    loginsPerMinute: 6_000,
    loginBurst: 1_000,
  };
}
