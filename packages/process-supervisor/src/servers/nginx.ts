import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { inheritedEnv, startProcess, StartError, type ManagedProcess } from '../managed-process.ts';
import { answers, isPortFree } from '../ports.ts';
import { findProgram } from '../programs.ts';

const run = promisify(execFile);

export type NginxOptions = {
  /** nginx's prefix; the configuration is written here as nginx.conf. */
  dir: string;
  /** The whole configuration, without a `daemon` directive. */
  conf: string;
  /** The port on which the configuration listens. */
  port: number;
  logFile?: string;
  /** Aborts the start. */
  signal?: AbortSignal;
};

export type NginxServer = ManagedProcess & { url: string };

/**
 * Starts the machine's nginx in the foreground with this configuration, independent of the system's configuration.
 * @throws StartError with nginx's own message when the configuration is invalid, or when it does not listen within 10 s.
 */
export async function startNginx(o: NginxOptions): Promise<NginxServer> {
  const dir = resolve(o.dir);
  const command = findNginx();
  if (command === undefined) throw new StartError('nginx is not installed.');
  if (!(await isPortFree(o.port))) throw new StartError(`nginx cannot use port ${o.port}: another program uses it.`);
  mkdirSync(dir, { recursive: true });
  const conf = join(dir, 'nginx.conf');
  writeFileSync(conf, o.conf);
  // -e: otherwise nginx writes to /var/log until it has read its configuration
  const args = ['-e', 'stderr', '-p', dir, '-c', conf];
  await run(command, [...args, '-q', '-t']).catch((error: unknown) => {
    const { stderr } = error as { stderr?: string };
    throw new StartError(`nginx rejects its configuration ${conf}: ${stderr?.trim()}`, { cause: error });
  });
  const child = await startProcess({
    name: 'nginx',
    command,
    args: [...args, '-g', 'daemon off;'],
    env: inheritedEnv(),
    cwd: dir,
    logFile: o.logFile ?? join(dir, 'nginx.log'),
    // stops at once; QUIT would wait for open event streams
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 2000,
    ready: () => answers(o.port),
    readyTimeoutMs: 10_000,
    ...(o.signal && { signal: o.signal }),
  });
  return { ...child, url: `http://127.0.0.1:${o.port}` };
}

/** The path of the machine's nginx, if installed. */
export function findNginx(): string | undefined {
  return findProgram('nginx', ['/usr/sbin', '/opt/homebrew/bin', '/usr/local/bin']);
}
