import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { waitFor } from '@taskwire/testing';
import {
  inheritedEnv,
  isAlive,
  lastLines,
  runToEnd,
  startProcess,
  StartError,
  type ProcessOptions,
} from '../src/index.ts';
import { scratchFolder } from './scratch.ts';

describe('A managed process', () => {
  const scratch = scratchFolder();
  after(() => scratch.remove());

  const shell = (script: string): ProcessOptions => ({
    name: 'a shell',
    command: 'sh',
    args: ['-c', script],
    env: inheritedEnv(),
    logFile: join(scratch.dir, 'shell.log'),
    ready: () => Promise.resolve(true),
    readyTimeoutMs: 5000,
  });

  it('is stopped with its signal, and killed when it ignores the signal', async () => {
    const options = shell('trap "" TERM; echo deaf now; while :; do sleep 0.1; done');
    const ready = async () => readFileSync(options.logFile, 'utf8').includes('deaf now');
    const child = await startProcess({ ...options, ready, stopTimeoutMs: 300 });
    await child.stop();
    expect(await child.exited).to.include({ signal: 'SIGKILL', expected: true });
  });

  it('ends its children when it ends', async () => {
    const child = await startProcess(shell('sleep 300 & echo $!; wait'));
    const grandchild = await childOf(child.logFile);
    child.kill();
    await child.exited;
    await untilGone(grandchild);
  });

  it('reports the last lines of its log when it ends before it is ready', async () => {
    const failing = startProcess({ ...shell('echo the reason; exit 3'), ready: () => Promise.resolve(false) });
    const error = await failing.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(StartError);
    expect(String(error)).to.match(/a shell ended with exit code 3 before it was ready[^]*\| the reason/);
  });

  it('is stopped when it is not ready in time', async () => {
    const late = startProcess({
      ...shell('echo $$; exec sleep 300'),
      ready: () => Promise.resolve(false),
      readyTimeoutMs: 300,
    });
    const error = await late.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(String(error)).to.match(/was not ready within/);
  });

  it('reports the reason when its program cannot be run', async () => {
    const missing = startProcess({ ...shell(''), command: '/nowhere/program' });
    const error = await missing.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(String(error)).to.match(/a shell could not be run: .*ENOENT/);
  });

  it('sees only the environment variables that programs need', async () => {
    process.env.SOME_PASSWORD = 'secret';
    const { SOME_PASSWORD, PATH } = inheritedEnv();
    delete process.env.SOME_PASSWORD;
    expect(SOME_PASSWORD).to.equal(undefined);
    expect(PATH).to.equal(process.env.PATH);
  });

  it('fails if it ends with an exit code other than 0', async () => {
    await runToEnd({ ...shell('exit 0'), timeoutMs: 5000 });
    const failing = runToEnd({ ...shell('exit 4'), timeoutMs: 5000 });
    const error = await failing.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(String(error)).to.match(/ended with exit code 4/);
  });

  it('ends, and its temporary folder is deleted, soon after its parent was killed with -9, even if it ignores SIGTERM', async function () {
    this.timeout(15_000);
    mkdirSync(join(scratch.dir, 'temporary'));
    const program = fileURLToPath(new URL('./parent.ts', import.meta.url));
    const parent = spawn(process.execPath, [program, scratch.dir], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [chunk] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(chunk.toString());
    expect(isAlive(pid)).to.equal(true);
    parent.kill('SIGKILL');
    await untilGone(pid);
    await waitFor(() => !existsSync(join(scratch.dir, 'temporary')), { what: 'the folder to be deleted' });
  });
});

async function untilGone(pid: number): Promise<void> {
  await waitFor(() => !isAlive(pid), { timeoutMs: 8000, what: `process ${pid} to end` });
}

async function childOf(logFile: string): Promise<number> {
  return await waitFor(() => Number(lastLines(logFile, 1)), { what: 'the shell to print the id of its child' });
}
