import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { inheritedEnv, startProcess, StartError, type ManagedProcess } from '../managed-process.ts';
import { isPortFree } from '../ports.ts';
import { findProgram } from '../programs.ts';

export type PrometheusOptions = {
  /** Contains the configuration and the data. */
  dir: string;
  port: number;
  /** The configuration, and the other files that it names relative to itself, by name. JSON is valid YAML. */
  config: object;
  files?: Readonly<Record<string, object>>;
  logFile?: string;
  /** Aborts the start. */
  signal?: AbortSignal;
};

const places = ['/usr/bin', '/opt/homebrew/bin', '/usr/local/bin'];

/** The paths of Prometheus and promtool, if both are installed. */
export function findPrometheus(): { server: string; tool: string } | undefined {
  const [server, tool] = [findProgram('prometheus', places), findProgram('promtool', places)];
  return server === undefined || tool === undefined ? undefined : { server, tool };
}

/** The paths of Alertmanager and amtool, if both are installed. */
export function findAlertmanager(): { server: string; tool: string } | undefined {
  const server = findProgram('prometheus-alertmanager', places) ?? findProgram('alertmanager', places);
  const tool = findProgram('amtool', places);
  return server === undefined || tool === undefined ? undefined : { server, tool };
}

/**
 * Starts the machine's Prometheus as a private server on 127.0.0.1. It reads its files again on SIGHUP.
 * @throws StartError when it is not installed, or not ready within 30 s.
 */
export async function startPrometheus(o: PrometheusOptions): Promise<ManagedProcess> {
  const program = findPrometheus()?.server;
  if (program === undefined) throw new StartError('prometheus is not installed.');
  const dir = writeFiles('prometheus.yml', o);
  const args = [`--config.file=${join(dir, 'prometheus.yml')}`, `--storage.tsdb.path=${join(dir, 'data')}`];
  return await startServer('Prometheus', program, [...args, `--web.listen-address=127.0.0.1:${o.port}`], dir, o);
}

/**
 * Starts the machine's Alertmanager as a private server on 127.0.0.1, without a cluster.
 * @throws StartError when it is not installed, or not ready within 30 s.
 */
export async function startAlertmanager(o: PrometheusOptions): Promise<ManagedProcess> {
  const program = findAlertmanager()?.server;
  if (program === undefined) throw new StartError('prometheus-alertmanager is not installed.');
  const dir = writeFiles('alertmanager.yml', o);
  const args = [`--config.file=${join(dir, 'alertmanager.yml')}`, `--storage.path=${join(dir, 'data')}`];
  const own = [`--web.listen-address=127.0.0.1:${o.port}`, '--cluster.listen-address='];
  return await startServer('Alertmanager', program, [...args, ...own], dir, o);
}

function writeFiles(name: string, { dir, config, files = {} }: PrometheusOptions): string {
  const folder = resolve(dir);
  mkdirSync(join(folder, 'data'), { recursive: true });
  for (const [file, content] of Object.entries({ [name]: config, ...files })) {
    writeFileSync(join(folder, file), JSON.stringify(content, null, 2));
  }
  return folder;
}

async function startServer(
  name: string,
  command: string,
  args: string[],
  dir: string,
  { port, logFile, signal }: PrometheusOptions,
): Promise<ManagedProcess> {
  if (!(await isPortFree(port))) throw new StartError(`${name} cannot use port ${port}: another program uses it.`);
  return await startProcess({
    name,
    command,
    args,
    env: inheritedEnv(),
    cwd: dir,
    logFile: logFile ?? join(dir, `${name.toLowerCase()}.log`),
    stopTimeoutMs: 3000,
    ready: async () => (await fetch(`http://127.0.0.1:${port}/-/ready`, { signal: AbortSignal.timeout(2000) })).ok,
    readyTimeoutMs: 30_000,
    ...(signal && { signal }),
  });
}
