import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inheritedEnv } from '@taskwire/process-supervisor';
import { engineFiles } from './engine-files.ts';
import { findProgram, Skipped } from './requirements.ts';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const folder = join(root, '.local/containers');

export type Result = { code: number; stdout: string; stderr: string };
export type RunOptions = {
  input?: string;
  env?: NodeJS.ProcessEnv;
  timeoutMs?: number;
  cwd?: string;
  signal?: AbortSignal;
};

/** A podman of its own. */
export type Engine = {
  env: NodeJS.ProcessEnv;
  /** Runs podman. @throws an error with its output if it fails. */
  podman(args: string[], o?: RunOptions): Promise<string>;
  /** Runs podman, and returns its exit code and output. */
  tryPodman(args: string[], o?: RunOptions): Promise<Result>;
};

/** The time limit of commands; the slowest one, a build, has a separate limit. */
const commandTimeoutMs = 120_000;

/** Creates the engine, and removes containers that an interrupted run left behind. @throws Skipped if podman does not work on this machine. */
export async function createEngine(signal: AbortSignal): Promise<Engine> {
  const place = join(folder, 'engine');
  mkdirSync(place, { recursive: true, mode: 0o700 });
  // the same folder for each run in this clone
  const runFolder = `/run/taskwire-${createHash('sha256').update(root).digest('hex').slice(0, 8)}`;
  mkdirSync(runFolder, { recursive: true, mode: 0o700 });
  const files = engineFiles({ folder: place, runFolder, runc: findProgram('runc') ?? 'runc' });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(place, name), text);
  chmodSync(join(place, 'runc'), 0o755);
  const env = {
    ...inheritedEnv(),
    CONTAINERS_CONF: join(place, 'containers.conf'),
    CONTAINERS_STORAGE_CONF: join(place, 'storage.conf'),
    CONTAINERS_REGISTRIES_CONF: join(place, 'registries.conf'),
  };
  const tryPodman = async (args: string[], o: RunOptions = {}) => await run('podman', args, { env, signal, ...o });
  const engine: Engine = {
    env,
    tryPodman,
    async podman(args, o) {
      const result = await tryPodman(args, o);
      if (result.code !== 0) throw new Error(`podman ${args.slice(0, 3).join(' ')} failed: ${lastOf(result)}`);
      return result.stdout.trim();
    },
  };
  const info = await tryPodman(['info']);
  if (info.code !== 0) throw new Skipped(`podman refuses this machine: ${lastOf(info)}`);
  await removeContainers(engine);
  return engine;
}

/** Removes all containers of the engine, with their networks and volumes. */
export async function removeContainers({ tryPodman }: Engine): Promise<void> {
  // The gateway's container is removed in the second round: the exporter uses its network, and podman refuses to remove it before the exporter.
  for (let round = 1; round <= 2; round++) await tryPodman(['rm', '--all', '--force', '--volumes', '--time', '0']);
  await tryPodman(['network', 'prune', '--force']);
  await tryPodman(['volume', 'prune', '--force']);
}

/** Returns the end of a command's output, for a message. */
export function lastOf({ stdout, stderr }: Result): string {
  return `${stdout}\n${stderr}`.trim().split('\n').slice(-15).join('\n');
}

/** Runs a program to its end. A program that exceeds the timeout, or is running when the signal is aborted, is killed and counts as failed. */
export async function run(
  command: string,
  args: string[],
  o: RunOptions & { env: NodeJS.ProcessEnv },
): Promise<Result> {
  const child = spawn(command, args, { env: o.env, stdio: 'pipe', ...(o.cwd !== undefined && { cwd: o.cwd }) });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  // a program that ends early gives the reason in its output
  child.stdin.on('error', () => undefined);
  child.stdin.end(o.input ?? '');
  const kill = () => child.kill('SIGKILL');
  const timer = setTimeout(kill, o.timeoutMs ?? commandTimeoutMs);
  o.signal?.addEventListener('abort', kill, { once: true });
  const code = await new Promise<number>((resolve) => {
    child.once('error', (error) => {
      output.stderr += error.message;
      resolve(127);
    });
    child.once('close', (exitCode) => resolve(exitCode ?? 1));
  });
  clearTimeout(timer);
  o.signal?.removeEventListener('abort', kill);
  return { code, ...output };
}
