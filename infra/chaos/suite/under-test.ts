import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { databaseUrl, startFaultProxy, type FaultProxy } from '@taskwire/local-servers';
import { freeSuitePorts, type SuitePorts } from '../../local/ports.ts';
import { newSecrets, serviceNames, type Secrets, type ServiceName } from '../../local/secrets.ts';
import { startSuite, type Suite } from '../../local/suite.ts';
import type { BugName } from '../bugs.ts';
import { linkNames, links, type LinkName } from '../links.ts';
import { admin, createStage, dealer, type Stage } from '../workload/cast.ts';
import { clockFile, setClock } from './clock.ts';
import { startRecorder, type Recorder } from './recorder.ts';
import type { RecordedEvent } from '../evidence.ts';

/** A suite with a fault proxy in every link, and the ways around them that the operator has. */
export type SuiteUnderTest = {
  suite: Suite;
  proxies: Record<LinkName, FaultProxy>;
  recorder: Recorder;
  /** A superuser's URL of a service's database, past the proxies. */
  databaseUrl(service: ServiceName): string;
  /** Moves the wall clock of a service this far from the machine's. */
  setClock(service: ServiceName, offsetMs: number): void;
  /** What the broker's own commands need of the environment. */
  brokerDir: string;
  ports: SuitePorts;
  stop(): Promise<void>;
};

const preloads = {
  clock: fileURLToPath(new URL('../preload/clock.ts', import.meta.url)),
  bug: fileURLToPath(new URL('../preload/bug.ts', import.meta.url)),
};

/**
 * Starts the suite in `dir`: production code, configured as in production save for what has to be there to break it: addresses that lead through
 * proxies, a clock that can be moved, and, where asked for, one deliberate bug that is patched in when the file is loaded.
 */
export async function startUnderTest(o: {
  dir: string;
  bug: BugName | undefined;
  onEvent: (event: RecordedEvent) => void;
  say: (text: string) => void;
  signal: AbortSignal;
}): Promise<{ underTest: SuiteUnderTest; stage: Stage }> {
  const [ports, secrets] = [await freeSuitePorts(), newSecrets()];
  const proxies = await startProxies(ports);
  const clocks = Object.fromEntries(serviceNames.map((name) => [name, clockFile(o.dir, name)]));
  for (const file of Object.values(clocks)) setClock(file, 0);
  const operatorLogin = `taskwire:${secrets.amqp.operator}@127.0.0.1`;
  // the accounts that are made by command are events too, and wait for the recorder
  proxies['auth-rabbitmq'].set({ kind: 'cut' });
  const recorder = startRecorder({
    url: `amqp://${operatorLogin}:${ports.amqp}/taskwire`,
    onBound: () => proxies['auth-rabbitmq'].heal(),
    onEvent: o.onEvent,
  });
  const stage = createStage();
  const people = [stage.addUser(admin, 'admin'), stage.addUser(dealer, 'manager')];
  try {
    const suite = await startSuite({
      ...{ dir: o.dir, ports, secrets, signal: o.signal },
      restarts: 'manual',
      people: people.map(({ email, name, role, password }) => ({ email, name, role, password })),
      // what was acknowledged has to survive a kill of the server, which `synchronous_commit` off would not promise
      postgresSettings: { fsync: 'off', full_page_writes: 'off' },
      gateway: {
        upstreams: {
          auth: `127.0.0.1:${proxies['gateway-auth'].port}`,
          tasks: `127.0.0.1:${proxies['gateway-tasks'].port}`,
          notifications: `127.0.0.1:${proxies['gateway-notifications'].port}`,
        },
        // every person has an address of their own
        trustedProxy: '127.0.0.1',
        loginsPerMinute: 6_000,
        loginBurst: 1_000,
      },
      env: Object.fromEntries(serviceNames.map((name) => [name, serviceEnv(name)])),
      progress: ({ name, state, tookMs }) => {
        if (state === 'ready') o.say(`${name} is ready after ${(tookMs / 1000).toFixed(1)} s`);
      },
    });
    return { underTest: underTest(suite), stage };
  } catch (error) {
    await recorder.stop();
    await stopAll(proxies);
    throw error;
  }

  function serviceEnv(service: ServiceName): Record<string, string> {
    const port = (from: ServiceName, to: string) => proxies[`${from}-${to}` as LinkName].port;
    const http = (to: string) => `http://127.0.0.1:${port(service, to)}`;
    const imports = [preloads.clock, ...(o.bug === undefined ? [] : [preloads.bug])];
    return {
      DATABASE_URL: serviceDatabase(port(service, 'postgres'), service, secrets),
      AMQP_URL: `amqp://${service}:${secrets.amqp[service]}@127.0.0.1:${port(service, 'rabbitmq')}/taskwire`,
      ...(service !== 'auth' && { AUTH_INTERNAL_URL: http('auth') }),
      ...(service === 'notifications' && {
        TASKS_INTERNAL_URL: http('tasks'),
        SMTP_URL: `smtp://127.0.0.1:${port('notifications', 'mail')}`,
      }),
      NODE_OPTIONS: imports.map((file) => `--import=${file}`).join(' '),
      TASKWIRE_CHAOS_CLOCK_FILE: clocks[service]!,
      ...(o.bug !== undefined && { TASKWIRE_CHAOS_BUG: o.bug }),
    };
  }

  function underTest(suite: Suite): SuiteUnderTest {
    const superuser = (service: ServiceName) =>
      databaseUrl(`postgres://127.0.0.1:${ports.postgres}/`, {
        database: `taskwire_${service}`,
        login: 'postgres',
        password: secrets.database.superuser,
      });
    return {
      ...{ suite, proxies, recorder, ports },
      databaseUrl: superuser,
      setClock: (service, offsetMs) => setClock(clocks[service]!, offsetMs),
      brokerDir: join(o.dir, 'rabbitmq'),
      async stop() {
        await recorder.stop();
        await suite.stop();
        await stopAll(proxies);
      },
    };
  }
}

function serviceDatabase(port: number, service: ServiceName, secrets: Secrets): string {
  const login = { database: `taskwire_${service}`, login: service, password: secrets.database[service] };
  return databaseUrl(`postgres://127.0.0.1:${port}/`, login);
}

async function startProxies(ports: SuitePorts): Promise<Record<LinkName, FaultProxy>> {
  const portOf = {
    auth: ports.auth,
    tasks: ports.tasks,
    notifications: ports.notifications,
    postgres: ports.postgres,
    rabbitmq: ports.amqp,
    mail: ports.smtp,
  };
  const started = linkNames.map(
    async (name) => [name, await startFaultProxy({ targetPort: portOf[links[name].to] })] as const,
  );
  return Object.fromEntries(await Promise.all(started)) as Record<LinkName, FaultProxy>;
}

async function stopAll(proxies: Record<LinkName, FaultProxy>): Promise<void> {
  await Promise.all(Object.values(proxies).map((proxy) => proxy.stop()));
}
