// npm start [-- --fresh] [-- --logs] [-- --observe]
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { errorText } from '@taskwire/errors';
import { killAllProcesses } from '@taskwire/process-supervisor';
import { sayEvents, sayProgress, settingsText, timedSay, welcome } from './console.ts';
import { followLogs, rotateLogs } from './follow-logs.ts';
import { installMonitoring, installPrograms } from './install-programs.ts';
import { externalServers } from './external-servers.ts';
import { probeAccounts } from './monitoring.ts';
import { demoPassword, demoPeople } from './people.ts';
import { configuredMonitoringPorts, configuredPorts } from './ports.ts';
import { neededPorts, requirePorts, requireDiskSpace, waitForPorts } from './preflight.ts';
import { unlockFolder, localFolder, lockFolder, writeRunning } from './running-file.ts';
import type { ConsumerAccess, ConsumerName } from './running-file.ts';
import { keptSecrets } from './secrets.ts';
import { chosenOrigins, chosenSettings } from './service-env.ts';
import { onStopSignal } from './stop-signal.ts';
import { startSuite, type Suite } from './suite.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const dir = localFolder();
const runningFile = join(dir, 'running.json');
const seededFile = join(dir, 'seeded');

const maxStopMs = 8000;

const say = timedSay();
const stopping = new AbortController();
let suite: Suite | undefined;
let ownsFolder = false;

const starting = start();
onStopSignal((reason) => void stop(reason));
try {
  await starting;
} catch (error) {
  if (!stopping.signal.aborted) {
    console.error(`\nTaskwire did not start.\n${error instanceof Error ? error.message : errorText(error)}\n`);
    await end(1);
  }
}

async function start(): Promise<void> {
  const { fresh, logs, observe } = readArguments(process.argv.slice(2));
  if (existsSync(join(root, '.env'))) process.loadEnvFile(join(root, '.env'));
  const ports = configuredPorts(process.env.TASKWIRE_PORT_BASE);
  const monitoringPorts = observe ? configuredMonitoringPorts(process.env.TASKWIRE_PORT_BASE) : undefined;
  const external = externalServers(process.env);
  const corsOrigins = chosenOrigins(process.env);
  const needed = { ...neededPorts(ports, external), ...monitoringPorts };
  const url = `http://localhost:${ports.gateway}`;

  mkdirSync(dir, { recursive: true, mode: 0o700 });
  chmodSync(dir, 0o700); // also corrects the mode of a folder created by an older version
  const folder = lockFolder(runningFile, { pid: process.pid, url });
  if (folder.kind === 'taken') {
    throw new Error(
      `It is running already: process ${folder.by.pid}, ${folder.by.url}. Stop that one first; a second copy needs a clone of its own and TASKWIRE_PORT_BASE.`,
    );
  }
  ownsFolder = true;
  if (folder.kind === 'left') {
    say('the last start was killed; waiting for its remaining processes to end');
    await waitForPorts(needed, 10_000);
  }
  requireDiskSpace(dir);
  await requirePorts(needed, say);
  await installPrograms(say);
  if (observe) await installMonitoring(say);
  if (external.amqpUrl !== undefined && external.managementUrl === undefined) {
    say(
      'the policies of the queues at AMQP_URL are not set, because RABBITMQ_MANAGEMENT_URL is not (see infra/rabbitmq/README.md)',
    );
  }
  if (fresh) dropData();
  rotateLogs(join(dir, 'logs'));
  if (logs) followLogs(join(dir, 'logs'), (line) => console.log(line));

  const settings = chosenSettings(process.env);
  say(settingsText({ ...settings, CORS_ORIGINS: corsOrigins.join(',') }));
  const started = await startSuite({
    ...{ dir, ports, external },
    secrets: keptSecrets(join(dir, 'secrets.json')),
    restarts: 'automatic',
    ...(!existsSync(seededFile) && { people: demoPeople }),
    ...(monitoringPorts && { monitoring: { ports: monitoringPorts, probe: probeAccounts(demoPassword) } }),
    onEvent: sayEvents(say, root),
    onProgress: sayProgress(say),
    logLevel: process.env.LOG_LEVEL ?? 'info',
    corsOrigins,
    env: { auth: settings, tasks: settings, notifications: settings },
    // front-end developers log in from one address far more often than the users of an office do
    gateway: { requestsPerSecond: 2_000, burst: 2_000, loginsPerMinute: 1_200, loginBurst: 200 },
    signal: stopping.signal,
  });
  suite = started;
  writeFileSync(seededFile, '');
  writeRunning(runningFile, {
    ...{ pid: process.pid, url },
    ready: {
      ...(needed.smtp !== undefined && { mailPageUrl: started.mailPageUrl }),
      operatorAmqpUrl: started.amqpUrl('operator'),
      authUrl: started.serviceUrl('auth'),
      consumers: { tasks: consumerAccess(started, 'tasks'), notifications: consumerAccess(started, 'notifications') },
      readyAt: new Date().toISOString(),
    },
  });
  say('everything is ready');
  const own = {
    postgres: needed.postgres !== undefined,
    rabbitmq: needed.amqp !== undefined,
    mail: needed.smtp !== undefined,
  };
  console.log(welcome({ suite: started, monitoring: monitoringPorts, dir, cwd: root, own }));
}

function consumerAccess(of: Suite, service: ConsumerName): ConsumerAccess {
  const { id: clientId, privateKey, issuer } = of.m2mClient(service);
  return { databaseUrl: of.databaseUrl(service), issuer, clientId, privateKey };
}

async function stop(reason: string): Promise<void> {
  say(`stopping (${reason})`);
  stopping.abort();
  // steps that cannot be interrupted, for example apt, are left running
  await Promise.race([starting.catch(() => undefined), delay(maxStopMs)]);
  if (suite === undefined) await killAllProcesses();
  await end(reason === 'SIGINT' || reason === 'SIGTERM' ? 0 : 1);
}

async function end(code: number): Promise<void> {
  await suite?.stop();
  if (ownsFolder) unlockFolder(runningFile);
  if (stopping.signal.aborted) say('everything is stopped');
  process.exit(code);
}

function dropData(): void {
  const servers = ['postgres', 'rabbitmq', 'mail', 'nginx', 'prometheus', 'alertmanager'];
  for (const name of [...servers, 'docs', 'logs', 'secrets.json', 'seeded']) {
    rmSync(join(dir, name), { recursive: true, force: true });
  }
}

type Flags = { fresh: boolean; logs: boolean; observe: boolean };

function readArguments(args: string[]): Flags {
  const known = ['--fresh', '--logs', '--observe'];
  const unknown = args.filter((arg) => !known.includes(arg));
  if (unknown.length > 0) {
    throw new Error(`There is no ${unknown.join(' ')}; npm start accepts --fresh, --logs and --observe.`);
  }
  return { fresh: args.includes('--fresh'), logs: args.includes('--logs'), observe: args.includes('--observe') };
}
