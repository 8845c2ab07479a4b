import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { inheritedEnv, startProcess, StartError, type ManagedProcess } from '../managed-process.ts';
import { answers, isPortFree } from '../ports.ts';
import { findProgram, isExecutable } from '../programs.ts';
import { rabbitDefinitions, type RabbitTopology } from './rabbit-definitions.ts';
import { keepTopology } from './rabbit-keeper.ts';
import { rabbitManagement, type RabbitManagement } from './rabbit-management.ts';

export type RabbitOptions = {
  /** Contains all files of the node: data, cookie, configuration, and its log unless `logFile` is given. */
  dir: string;
  amqpPort: number;
  managementPort: number;
  epmdPort: number;
  /** The port of the Erlang distribution, on 127.0.0.1. */
  distPort: number;
  /** The port of the metrics in the format of Prometheus; without it, the node has none. */
  metricsPort?: number;
  topology: RabbitTopology;
  logFile?: string;
  /** Aborts the start. */
  signal?: AbortSignal;
};

export type RabbitServer = ManagedProcess & {
  /** The AMQP URL of a user of the topology, by its name; without a name, the operator's. */
  url(user?: string): string;
  management: RabbitManagement;
};

// a start takes 5 s on an idle machine, and five times as long if several suites start at once on two cores
const readyTimeoutMs = 120_000;

// On SIGTERM, RabbitMQ 3.10 closes its connections and stores almost at once, and then blocks itself for 5 s: the statistics handler of the
// management plugin calls the process that is terminating it. Nothing is written during this wait, and quorum queues survive a kill anyway.
const stopTimeoutMs = 2000;

/**
 * Starts the machine's `rabbitmq-server` (3.10 or 4) as a private node: its own ports on 127.0.0.1, cookie, data and plugins, and nothing shared with
 * a system service. If TASKWIRE_RABBITMQ_PROGRAMS names a folder, `rabbitmq-server` and `epmd` are taken from there. The topology is imported at
 * every start, so that changed passwords and policies take effect, and imported again when its vhost, an exchange or a policy is missing.
 * @throws StartError with the last log lines when it is not ready within two minutes.
 */
export async function startRabbit(o: RabbitOptions): Promise<RabbitServer> {
  const dir = resolve(o.dir);
  const logFile = o.logFile ?? join(dir, 'rabbitmq.log');
  const program = findRabbit();
  if (!program) throw new StartError('rabbitmq-server is not installed.');
  const { metricsPort } = o;
  for (const port of [o.amqpPort, o.managementPort, o.epmdPort, o.distPort, ...(metricsPort ? [metricsPort] : [])]) {
    if (!(await isPortFree(port)))
      throw new StartError(`RabbitMQ cannot use port ${port}: another program listens on it.`);
  }
  prepareFolder(dir, o);

  const epmd = await startProcess({
    name: 'epmd',
    // RabbitMQ would start epmd as a daemon that is never stopped; here, epmd is a child process like the others
    command: epmdProgram(),
    args: ['-port', String(o.epmdPort), '-address', '127.0.0.1'],
    env: inheritedEnv(),
    logFile,
    ready: () => answers(o.epmdPort),
    readyTimeoutMs: 10_000,
    ...(o.signal && { signal: o.signal }),
  });
  const { vhost, operator, services } = o.topology;
  const login = (user: { name: string; password: string }) =>
    `${encodeURIComponent(user.name)}:${encodeURIComponent(user.password)}`;
  const management = rabbitManagement(`http://${login(operator)}@127.0.0.1:${o.managementPort}`);
  try {
    const child = await startProcess({
      name: 'RabbitMQ',
      command: program,
      args: [],
      env: nodeEnv(dir, o),
      cwd: dir,
      logFile,
      stopTimeoutMs,
      ready: async () => (await answers(o.amqpPort)) && Boolean(await management.call('GET', '/whoami')),
      readyTimeoutMs,
      ...(o.signal && { signal: o.signal }),
    });
    const keeper = keepTopology(management, o.topology);
    return {
      ...child,
      // resolves only when epmd has ended too, so that all ports are free for the next start
      exited: child.exited.then(async (exit) => {
        await keeper.stop();
        await epmd.stop();
        return exit;
      }),
      stop: async () => {
        await keeper.stop();
        await child.stop();
        await epmd.stop();
      },
      url(name = operator.name) {
        const user = [operator, ...services].find((known) => known.name === name);
        if (!user) throw new Error(`There is no RabbitMQ user ${name} in the topology.`);
        return `amqp://${login(user)}@127.0.0.1:${o.amqpPort}/${encodeURIComponent(vhost)}`;
      },
      management,
    };
  } catch (error) {
    await epmd.stop();
    throw error;
  }
}

function prepareFolder(dir: string, o: RabbitOptions): void {
  mkdirSync(join(dir, 'data'), { recursive: true, mode: 0o700 });
  const cookie = join(dir, '.erlang.cookie');
  if (!existsSync(cookie)) writeFileSync(cookie, randomBytes(20).toString('hex'), { mode: 0o400 });
  chmodSync(cookie, 0o400);
  // a node's data is tied to its name, so the name is chosen once and kept when ports or the path of the folder change
  const nameFile = join(dir, 'node-name');
  if (!existsSync(nameFile)) writeFileSync(nameFile, `taskwire-${randomBytes(4).toString('hex')}@localhost`);
  const plugins = ['rabbitmq_management', ...(o.metricsPort === undefined ? [] : ['rabbitmq_prometheus'])];
  writeFileSync(join(dir, 'enabled_plugins'), `[${plugins.join(',')}].\n`);
  writeFileSync(join(dir, 'definitions.json'), JSON.stringify(rabbitDefinitions(o.topology), null, 2), { mode: 0o600 });
  writeFileSync(
    join(dir, 'rabbitmq.conf'),
    [
      `listeners.tcp.1 = 127.0.0.1:${o.amqpPort}`,
      'management.tcp.ip = 127.0.0.1',
      `management.tcp.port = ${o.managementPort}`,
      ...(o.metricsPort === undefined
        ? []
        : ['prometheus.tcp.ip = 127.0.0.1', `prometheus.tcp.port = ${o.metricsPort}`]),
      `load_definitions = ${join(dir, 'definitions.json')}`,
      'log.console = true',
      'log.console.level = info',
      'log.file = false',
      // the default of 512 MB is meant for servers with many queues; after a restart, the whole log has to be read
      'raft.wal_max_size_bytes = 67108864',
      '',
    ].join('\n'),
  );
  writeFileSync(join(dir, 'empty.conf'), '');
}

/**
 * By default, idle schedulers spin, which takes processor time from the services on the same machine:
 * https://www.rabbitmq.com/docs/runtime#busy-waiting
 */
const noBusyWaiting = '+sbwt none +sbwtdcpu none +sbwtdio none';

function nodeEnv(dir: string, o: RabbitOptions): NodeJS.ProcessEnv {
  return {
    ...inheritedEnv(),
    HOME: dir,
    RABBITMQ_NODENAME: readFileSync(join(dir, 'node-name'), 'utf8').trim(),
    RABBITMQ_CONFIG_FILE: join(dir, 'rabbitmq.conf'),
    RABBITMQ_CONF_ENV_FILE: join(dir, 'empty.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(dir, 'none.config'),
    RABBITMQ_CONFIG_FILES: join(dir, 'none.d'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'enabled_plugins'),
    RABBITMQ_MNESIA_BASE: join(dir, 'data'),
    RABBITMQ_LOG_BASE: join(dir, 'log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_GENERATED_CONFIG_DIR: join(dir, 'generated'),
    RABBITMQ_DIST_PORT: String(o.distPort),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `-kernel inet_dist_use_interface {127,0,0,1} ${noBusyWaiting}`,
    ERL_EPMD_PORT: String(o.epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_CRASH_DUMP: join(dir, 'erl_crash.dump'),
    // makes the start script replace itself with the Erlang VM: one process that receives signals, instead of a shell waiting for it
    RUNNING_UNDER_SYSTEMD: 'true',
  };
}

/**
 * The path of the RabbitMQ start script, if installed.
 * @throws StartError when TASKWIRE_RABBITMQ_PROGRAMS names a folder without one: a fallback could start a version other than the requested one.
 */
export function findRabbit(): string | undefined {
  const chosen = chosenProgram('rabbitmq-server');
  if (chosen !== undefined) return chosen;
  return findProgram('rabbitmq-server', [
    // Debian's /usr/sbin/rabbitmq-server changes to the user and folder of the system service; the underlying program does not
    '/usr/lib/rabbitmq/bin',
    '/opt/homebrew/opt/rabbitmq/sbin',
    '/usr/local/opt/rabbitmq/sbin',
  ]);
}

function epmdProgram(): string {
  const found = chosenProgram('epmd') ?? findProgram('epmd', ['/usr/bin', '/opt/homebrew/bin', '/usr/local/bin']);
  if (found !== undefined) return found;
  // the location in an Erlang installation that is not linked into PATH
  const root = execFileSync('erl', ['-noshell', '-eval', 'io:format("~s",[code:root_dir()]),halt().'], {
    encoding: 'utf8',
  });
  return execFileSync('sh', ['-c', 'ls "$0"/erts-*/bin/epmd | tail -1', root], { encoding: 'utf8' }).trim();
}

function chosenProgram(name: string): string | undefined {
  const folder = process.env['TASKWIRE_RABBITMQ_PROGRAMS'];
  if (folder === undefined || folder === '') return undefined;
  const program = join(folder, name);
  if (!isExecutable(program))
    throw new StartError(`TASKWIRE_RABBITMQ_PROGRAMS is ${folder}, which has no program ${name}.`);
  return program;
}
