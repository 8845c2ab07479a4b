import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { isPortFree } from '@taskwire/process-supervisor';
import { waitFor } from '@taskwire/testing';
import type { SuitePorts } from '../ports.ts';
import { demoPassword } from '../people.ts';

const program = fileURLToPath(new URL('../start.ts', import.meta.url));

/** `npm start` without npm, in a separate folder and on separate ports. */
export type Launcher = {
  pid: number | undefined;
  output(): string;
  ended: Promise<number | null>;
  ready(): Promise<void>;
  stop(signal: NodeJS.Signals): Promise<number | null>;
};

export function launch(dir: string, base: number): Launcher {
  const child: ChildProcess = spawn(process.execPath, [program], {
    env: { ...process.env, TASKWIRE_LOCAL_DIR: dir, TASKWIRE_PORT_BASE: String(base) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  let over = false;
  const ended = new Promise<number | null>((resolve) =>
    child.once('close', (code) => {
      over = true;
      resolve(code);
    }),
  );
  return {
    pid: child.pid,
    output: () => output,
    ended,
    async ready() {
      await waitFor(() => over || output.includes('Ctrl-C stops everything'), {
        timeoutMs: 120_000,
        what: 'the suite to be ready',
      });
      if (over) throw new Error(`It ended:\n${output}`);
    },
    stop(signal) {
      child.kill(signal);
      return ended;
    },
  };
}

export async function logIn(ports: SuitePorts): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${ports.gateway}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'ann@taskwire.test', password: demoPassword }),
  });
  await response.arrayBuffer();
  return response.status;
}

export function childrenOf(parent: number | undefined): { pid: number; command: string }[] {
  return execFileSync('ps', ['-A', '-o', 'pid=,ppid=,command='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .filter((match) => Number(match?.[2]) === parent)
    .map((match) => ({ pid: Number(match?.[1]), command: match?.[3] ?? '' }))
    .filter(({ command }) => !command.startsWith('ps '));
}

export async function elevenConsecutivePorts(): Promise<number> {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * 11_000);
    const free = await Promise.all(Array.from({ length: 11 }, (_, index) => isPortFree(first + index)));
    if (!free.includes(false)) return first;
  }
}
