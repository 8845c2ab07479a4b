import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '@taskwire/errors';
import { rabbitCommand, rabbitManagement } from '@taskwire/process-supervisor';
import pg from 'pg';
import type { Injection, Takeover } from '../evidence.ts';
import type { ServiceName } from '../../../infra/local/secrets.ts';
import type { LinkName } from '../links.ts';
import type { Random } from '../random.ts';
import type { Consumer, Fault } from '../schedule.ts';
import { bindingKeys, poison, type Operator } from '../suite/operator.ts';
import type { RawMessage } from '../suite/raw-message.ts';
import type { ProcessName, SuiteUnderTest } from '../suite/under-test.ts';
import { isWorkerFault } from '../worker-faults.ts';
import type { WorkerProcesses } from '../workload/jobs/worker-processes.ts';
import { killWorker } from './takeover.ts';

export type FaultTools = {
  underTest: SuiteUnderTest;
  operator: Operator;
  workers: WorkerProcesses;
  /** Random numbers drawn during a fault; the schedule does not depend on them. */
  random: Random;
  onInjection(injection: Injection): void;
  onTakeover(takeover: Takeover): void;
  /** Aborted when the traffic ends: faults are then shortened, but still repaired. */
  ending: AbortSignal;
  /** Aborted when the run is cancelled. */
  signal: AbortSignal;
};

/** Injects a fault; resolves once the fault has ended. */
export type Inject = (fault: Fault) => Promise<Injected>;

/** The result of a fault. `failed`: it could not be injected, because its target was already affected by another fault. */
export type Injected = { note?: string; failed?: true };

export function createInject(tools: FaultTools): Inject {
  const { underTest, operator, random, onInjection, onTakeover, ending, signal } = tools;
  const { suite, proxies, recorder } = underTest;
  const brokerCommand = (...args: string[]) =>
    rabbitCommand({ dir: underTest.brokerDir, epmdPort: underTest.ports.epmd }, ...args);
  const inTurn = createTurns();
  const current = new Map<LinkName, object>();
  const wait = (ms: number) => delay(ms, undefined, { signal: ending }).catch(() => undefined);

  /** Faults of one process happen one after the other, because a process that is down cannot be killed. */
  const bringDown = (name: ProcessName, how: 'kill' | 'stop', downMs: number) =>
    inTurn(name, async () => {
      await underTest.process(name)[how]();
      await wait(downMs);
      return await startAgain(name);
    });

  async function startAgain(name: ProcessName): Promise<string | undefined> {
    let note: string | undefined;
    // after a kill, ports may be in use for a moment, and dependencies may be unavailable for longer than a start waits
    for (let tries = 0; tries < 5; tries++) {
      try {
        await underTest.process(name).start();
        return note;
      } catch (error) {
        note = errorText(error);
        await delay(500);
      }
    }
    throw new Error(`${name} did not start: ${note}`);
  }

  async function takeover(of: ServiceName): Promise<string | undefined> {
    const killed = await killWorker(underTest, of, signal);
    if (killed === undefined) throw new Error('no process was doing the work');
    onTakeover(killed);
    return await startAgain(killed.killed);
  }

  async function breakLink({ link, fault, ms }: Extract<Fault, { kind: 'link' }>): Promise<undefined> {
    const mine = {};
    current.set(link, mine);
    proxies[link].set(fault);
    await wait(ms);
    // unless another fault has replaced this one
    if (current.get(link) === mine) proxies[link].heal();
  }

  async function freeze({ service, ms }: Extract<Fault, { kind: 'freeze_service' }>): Promise<string | undefined> {
    const frozen = underTest.process(service);
    const pid = frozen.pid();
    if (pid === undefined) throw new Error('it is not running');
    process.kill(pid, 'SIGSTOP');
    await wait(ms);
    if (frozen.pid() === pid) process.kill(pid, 'SIGCONT');
    return undefined;
  }

  /** Waits if necessary, because the management plugin lists a connection only a few seconds after it was opened. */
  async function closeBrokerConnections(of: string): Promise<string> {
    const management = rabbitManagement(suite.managementUrl);
    for (let tries = 0; tries < maxTries && !ending.aborted; tries++) {
      const open = await management.call<{ name: string; user: string }[]>('GET', '/connections').catch(() => []);
      const theirs = open.filter(({ user }) => user === of);
      await Promise.all(
        theirs.map(({ name }) => management.call('DELETE', `/connections/${encodeURIComponent(name)}`).catch(() => 0)),
      );
      if (theirs.length > 0) return `${theirs.length} connections`;
      await wait(betweenTriesMs);
    }
    throw new Error('no connections are listed');
  }

  async function closeDatabaseConnections(of: Parameters<SuiteUnderTest['databaseUrl']>[0]): Promise<string> {
    const client = new pg.Client({ connectionString: underTest.databaseUrl(of), connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined);
    await client.connect();
    try {
      const { rowCount } = await client.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1',
        [of],
      );
      return `${rowCount} connections`;
    } finally {
      await client.end();
    }
  }

  async function duplicate(to: Consumer, count: number): Promise<string> {
    const theirs = recorder.messages.filter(({ routingKey }) => isFor(to, routingKey));
    const copies = random.shuffled(theirs).slice(0, count);
    await operator.deliver(to, copies);
    onInjection({ kind: 'duplicate', to, messageIds: copies.map(({ id }) => id) });
    return `${copies.length} messages`;
  }

  /**
   * For the given time, published messages do not reach the queue; afterwards they are delivered to it in random order. Messages that reached the
   * queue anyway are delivered twice.
   */
  const reorder = (to: Consumer, ms: number) =>
    inTurn(`routing to ${to}`, async () => {
      const from = recorder.messages.length;
      await operator.route(to, 'off');
      await wait(ms);
      await operator.route(to, 'on');
      await recorder.caughtUp(signal);
      const missed = recorder.messages.slice(from).filter(({ routingKey }) => isFor(to, routingKey));
      const messages: RawMessage[] = random.shuffled(missed);
      await operator.deliver(to, messages);
      onInjection({ kind: 'reorder', to, messageIds: messages.map(({ id }) => id) });
      return `${messages.length} messages`;
    });

  /** Retries clearing the alarm until this succeeds; otherwise the alarm would persist. A broker that was restarted has no alarm. */
  async function alarm({ of, ms }: Extract<Fault, { kind: 'alarm' }>): Promise<string> {
    const { command, low, usual } = alarms[of];
    let isOn = false;
    for (let tries = 0; tries < maxTries && !isOn && !ending.aborted; tries++) {
      isOn = (await succeeds(brokerCommand(command, low))) && (await isAlarmed());
      if (!isOn) await wait(betweenTriesMs);
    }
    if (isOn) await wait(ms);
    for (let tries = 0; tries < maxTries * 3; tries++) {
      if (await succeeds(brokerCommand(command, usual))) break;
      signal.throwIfAborted();
      await delay(betweenTriesMs);
    }
    if (!isOn) throw new Error('no alarm went off');
    return 'the broker reports the alarm';
  }

  /** The broker's health check responds with 503 while an alarm is active. */
  async function isAlarmed(): Promise<boolean> {
    const check = rabbitManagement(suite.managementUrl).call('GET', '/health/checks/alarms');
    return await check.then(
      () => false,
      (error: unknown) => errorText(error).includes('with 503'),
    );
  }

  async function inject(fault: Fault): Promise<string | undefined> {
    if (isWorkerFault(fault))
      return await inTurn(`worker process ${fault.worker}`, async () => await tools.workers.disturb(fault, wait));
    switch (fault.kind) {
      case 'kill_service':
        return await bringDown(fault.service, 'kill', fault.downMs);
      case 'takeover':
        return await takeover(fault.of);
      case 'freeze_service':
        return await freeze(fault);
      case 'kill_broker':
        return await bringDown('rabbitmq', 'kill', fault.downMs);
      case 'restart_broker':
        return await bringDown('rabbitmq', 'stop', fault.downMs);
      case 'kill_postgres':
        return await bringDown('postgres', 'kill', fault.downMs);
      case 'close_broker_connections':
        return await closeBrokerConnections(fault.of);
      case 'close_database_connections':
        return await closeDatabaseConnections(fault.of);
      case 'link':
        return await breakLink(fault);
      case 'clock':
        underTest.setClock(fault.service, fault.offsetMs);
        return;
      case 'duplicate':
        return await duplicate(fault.to, fault.count);
      case 'reorder':
        return await reorder(fault.to, fault.ms);
      case 'poison': {
        const message = poison(fault.to, fault.form);
        await operator.deliver(fault.to, [message]);
        onInjection({ kind: 'poison', to: fault.to, form: fault.form, messageId: message.id });
        return;
      }
      case 'alarm':
        return await alarm(fault);
    }
  }

  return async (fault) => {
    try {
      const note = await inject(fault);
      return note === undefined ? {} : { note };
    } catch (error) {
      return { note: errorText(error), failed: true };
    }
  };
}

/** The target of a fault may be down for another reason, for a few seconds. */
const maxTries = 10;
const betweenTriesMs = 700;

/** `low`: the limit that triggers the alarm, because it allows very little memory or requires very much free disk space. */
const alarms = {
  memory: { command: 'set_vm_memory_high_watermark', low: '0.00001', usual: '0.4' },
  disk: { command: 'set_disk_free_limit', low: '100000GB', usual: '50MB' },
} as const;

function isFor(to: Consumer, routingKey: string): boolean {
  return bindingKeys[to].some((key) => routingKey.startsWith(key.slice(0, -1)));
}

async function succeeds(work: Promise<unknown>): Promise<boolean> {
  return await work.then(
    () => true,
    () => false,
  );
}

/** Serializes work by name. */
function createTurns() {
  const last = new Map<string, Promise<unknown>>();
  return async function inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const turn = (last.get(name) ?? Promise.resolve()).then(work);
    last.set(
      name,
      turn.catch(() => undefined),
    );
    return await turn;
  };
}
