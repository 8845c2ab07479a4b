import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import {
  answers,
  disposableFolder,
  reapFolderIfOrphaned,
  isAlive,
  isPortFree,
  releaseFolder,
} from '@taskwire/process-supervisor';
import { waitFor } from '@taskwire/testing';
import { configuredPorts, type SuitePorts } from '../ports.ts';
import { demoPassword } from '../people.ts';

const program = fileURLToPath(new URL('../start.ts', import.meta.url));

describe('npm start', function () {
  this.timeout(180_000);
  const dir = disposableFolder('taskwire-start-');
  let base: number;
  let ports: SuitePorts;
  let launcher: Launcher | undefined;

  before(async () => {
    chmodSync(dir, 0o755); // as left by an older version
    reapFolderIfOrphaned(dir);
    base = await elevenConsecutivePorts();
    ports = configuredPorts(String(base));
  });
  after(async () => {
    await launcher?.stop('SIGTERM');
    rmSync(dir, { recursive: true, force: true, maxRetries: 12, retryDelay: 100 });
    releaseFolder(dir);
  });

  it('starts everything, and prints its addresses and the users who can log in', async () => {
    launcher = launch(dir, base);
    await launcher.ready();
    expect(launcher.output()).to.include(`http://localhost:${base}`).and.to.include('ann@taskwire.test');
    expect(launcher.output()).to.include(
      'settings for development: REGISTRATION=open, AUTH_REQUIRE_VERIFIED_EMAIL=off',
    );
    expect(await logIn(ports)).to.equal(200);
  });

  it('keeps everything private to its owner: other users cannot read the folder', () => {
    expect(statSync(dir).mode & 0o777).to.equal(0o700);
    expect(statSync(join(dir, 'mail')).mode & 0o777).to.equal(0o700);
  });

  it('refuses a second start in the same folder and names the first', async () => {
    const second = launch(dir, base);
    expect(await second.ended).to.equal(1);
    expect(second.output()).to.match(new RegExp(`running already: process ${launcher?.pid}`));
    expect(await logIn(ports)).to.equal(200);
  });

  it('restarts a service that was killed, and shows its last log lines', async () => {
    const tasks = childrenOf(launcher?.pid).find(({ command }) => command.includes('services/tasks/src/main.ts'));
    expect(tasks).not.to.equal(undefined);
    process.kill(Number(tasks?.pid), 'SIGKILL');
    await waitFor(() => launcher?.output().includes('tasks was restarted'), { timeoutMs: 30_000 });
    expect(launcher?.output()).to.match(/tasks ended by SIGKILL[^]*\| \{/);
  });

  it('leaves nothing behind when it is killed with -9, and the next start recovers with the data', async () => {
    const parts = childrenOf(launcher?.pid).map(({ pid }) => pid);
    expect(parts).to.have.length.above(7);
    await launcher?.stop('SIGKILL');
    launcher = launch(dir, base);
    await launcher.ready();
    expect(parts.filter(isAlive)).to.deep.equal([]);
    expect(await logIn(ports)).to.equal(200);
  });

  it('stops everything within 10 s', async () => {
    const began = performance.now();
    expect(await launcher?.stop('SIGTERM')).to.equal(0);
    expect(performance.now() - began).to.be.below(10_000);
    expect(await Promise.all(Object.values(ports).map(answers))).not.to.include(true);
  });

  it('names the port that is taken, and starts nothing', async () => {
    const stranger = createServer();
    await new Promise<void>((resolve) => stranger.listen(ports.smtp, '127.0.0.1', resolve));
    launcher = launch(dir, base);
    expect(await launcher.ended).to.equal(1);
    await new Promise((resolve) => stranger.close(resolve));
    expect(launcher.output()).to.match(new RegExp(`A port is taken: ${ports.smtp} \\(smtp\\)[^]*TASKWIRE_PORT_BASE`));
  });

  it('stops what it has started when it is interrupted halfway', async () => {
    launcher = launch(dir, base);
    await waitFor(() => launcher?.output().includes('postgres               ready'), { timeoutMs: 60_000 });
    await launcher.stop('SIGINT');
    expect(await Promise.all(Object.values(ports).map(answers))).not.to.include(true);
  });
});

type Launcher = {
  pid: number | undefined;
  output(): string;
  ended: Promise<number | null>;
  ready(): Promise<void>;
  stop(signal: NodeJS.Signals): Promise<number | null>;
};

function launch(dir: string, base: number): Launcher {
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

async function logIn(ports: SuitePorts): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${ports.gateway}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'ann@taskwire.test', password: demoPassword }),
  });
  await response.arrayBuffer();
  return response.status;
}

function childrenOf(parent: number | undefined): { pid: number; command: string }[] {
  return execFileSync('ps', ['-A', '-o', 'pid=,ppid=,command='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .filter((match) => Number(match?.[2]) === parent)
    .map((match) => ({ pid: Number(match?.[1]), command: match?.[3] ?? '' }))
    .filter(({ command }) => !command.startsWith('ps '));
}

async function elevenConsecutivePorts(): Promise<number> {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * 11_000);
    const free = await Promise.all(Array.from({ length: 11 }, (_, index) => isPortFree(first + index)));
    if (!free.includes(false)) return first;
  }
}
