import { execFileSync } from 'node:child_process';
import { statfsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { answers, isPortFree } from '@taskwire/process-supervisor';
import type { ExternalServers } from './external-servers.ts';
import type { SuitePorts } from './ports.ts';
import { serviceNames } from './secrets.ts';

// a fresh PostgreSQL and RabbitMQ take about 90 MB; RabbitMQ stops accepting messages below 50 MB
const neededMb = 300;

/** @throws when the disk has too little space for data and logs. */
export function requireDiskSpace(dir: string): void {
  const { bavail, bsize } = statfsSync(dir);
  const freeMb = Math.floor((bavail * bsize) / 1024 ** 2);
  if (freeMb >= neededMb) return;
  throw new Error(
    `The disk of ${dir} is full: ${freeMb} MB are free, and PostgreSQL and RabbitMQ need ${neededMb} MB.`,
  );
}

/** The ports on which this start will listen. */
export function neededPorts(ports: SuitePorts, external: ExternalServers): Partial<SuitePorts> {
  const { postgres, amqp, management, epmd, erlang, mailPage, smtp, ...services } = ports;
  return {
    ...services,
    ...(serviceNames.some((name) => external.databases[name] === undefined) && { postgres }),
    ...(external.amqpUrl === undefined && { amqp, management, epmd, erlang }),
    ...(external.smtpUrl === undefined && { mailPage, smtp }),
  };
}

/** Ports by the names of the processes that listen on them. */
type NeededPorts = Partial<Record<string, number>>;

// Linux reserves the port of an outgoing connection for 60 s after the connection has ended, and some default ports are in the range that Linux uses
// for them.
const closingMs = 65_000;

/**
 * Waits while ports are held only by closing connections.
 * @throws with the names of all ports used by other programs.
 */
export async function requirePorts(ports: NeededPorts, say: (text: string) => void): Promise<void> {
  let taken = await takenPorts(ports);
  if (taken.length > 0 && !(await anyAnswers(taken))) {
    say(
      `an outgoing connection is using port ${taken.map(([, port]) => port).join(', ')}; waiting up to a minute for it to end`,
    );
    await waitForPorts(ports, closingMs);
    taken = await takenPorts(ports);
  }
  if (taken.length === 0) return;
  const list = taken.map(([name, port]) => `${port} (${name})${holder(port)}`).join(', ');
  throw new Error(
    `${taken.length === 1 ? 'A port is' : 'Ports are'} taken: ${list}.\n` +
      'Stop what listens there, or use other ports: TASKWIRE_PORT_BASE=18000 npm start',
  );
}

/** Waits until the ports of a killed start are free: its orphan reaper takes up to five seconds to end the processes. */
export async function waitForPorts(ports: NeededPorts, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while ((await takenPorts(ports)).length > 0 && performance.now() < deadline) await delay(200);
}

async function takenPorts(ports: NeededPorts): Promise<[string, number][]> {
  const free = await Promise.all(numbersOf(ports).map(([, port]) => isPortFree(port)));
  return numbersOf(ports).filter((_, index) => !free[index]);
}

function numbersOf(ports: NeededPorts): [string, number][] {
  return Object.entries(ports).filter((entry): entry is [string, number] => entry[1] !== undefined);
}

async function anyAnswers(taken: [string, number][]): Promise<boolean> {
  return (await Promise.all(taken.map(([, port]) => answers(port)))).includes(true);
}

function holder(port: number): string {
  try {
    const output = execFileSync('lsof', ['-nP', '-t', `-iTCP:${port}`, '-sTCP:LISTEN'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return ` by process ${output.trim().split('\n').join(', ')}`;
  } catch {
    return '';
  }
}
