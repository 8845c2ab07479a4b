import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inheritedEnv, startProcess, StartError, type ManagedProcess } from '../managed-process.ts';
import { answers } from '../ports.ts';
import { postgresAccount } from './postgres-account.ts';
import { findProgram } from '../programs.ts';

export type PgbouncerOptions = {
  /** Contains the configuration. */
  dir: string;
  port: number;
  /** The server's URL, with the login that the pooler uses for all clients. */
  databaseUrl: string;
  poolMode: 'session' | 'transaction' | 'statement';
  /** The maximum number of simultaneous connections to the server. */
  poolSize: number;
};

/** @returns the path of PgBouncer, if installed */
export function findPgbouncer(): string | undefined {
  return findProgram('pgbouncer', ['/usr/sbin', '/opt/homebrew/bin', '/usr/local/bin']);
}

/** Starts a PgBouncer in front of one database, on 127.0.0.1, that accepts every client. @throws StartError when it is not ready within 10 s. */
export async function startPgbouncer(o: PgbouncerOptions): Promise<ManagedProcess> {
  const program = findPgbouncer();
  if (program === undefined) throw new StartError('pgbouncer is not installed.');
  const { hostname, port, username, password, pathname } = new URL(o.databaseUrl);
  mkdirSync(o.dir, { recursive: true });
  const file = join(o.dir, 'pgbouncer.ini');
  const settings = [
    '[databases]',
    `* = host=${hostname} port=${port} dbname=${pathname.slice(1)} user=${decodeURIComponent(username)} password=${decodeURIComponent(password)}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${o.port}`,
    'unix_socket_dir =',
    'auth_type = any',
    `pool_mode = ${o.poolMode}`,
    `default_pool_size = ${o.poolSize}`,
    '',
  ];
  writeFileSync(file, settings.join('\n'), { mode: 0o600 });
  // like PostgreSQL, it refuses to run as root
  const { user, prefix } = postgresAccount(o.dir, o.dir, [program]);
  chmodSync(o.dir, 0o700);
  const [command, ...args] = [...prefix, program, file];
  return await startProcess({
    name: 'PgBouncer',
    command,
    args,
    env: inheritedEnv(),
    logFile: join(o.dir, 'pgbouncer.log'),
    ...user,
    ready: () => answers(o.port),
    readyTimeoutMs: 10_000,
  });
}
