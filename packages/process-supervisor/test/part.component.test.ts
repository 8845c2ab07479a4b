import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { waitFor } from '@taskwire/testing';
import { inheritedEnv, isAlive, lastLines, runToEnd, startPart, StartError, type PartOptions } from '../src/index.ts';
import { scratchFolder } from './scratch.ts';

describe('A part', () => {
  const scratch = scratchFolder();
  after(() => scratch.remove());

  const shell = (script: string): PartOptions => ({
    name: 'a shell',
    command: 'sh',
    args: ['-c', script],
    env: inheritedEnv(),
    logFile: join(scratch.dir, 'shell.log'),
    ready: () => Promise.resolve(true),
    readyTimeoutMs: 5000,
  });

  it('is stopped with its signal, and killed when it does not listen', async () => {
    const options = shell('trap "" TERM; echo deaf now; while :; do sleep 0.1; done');
    const ready = async () => readFileSync(options.logFile, 'utf8').includes('deaf now');
    const part = await startPart({ ...options, ready, stopTimeoutMs: 300 });
    await part.stop();
    expect(await part.died).to.include({ signal: 'SIGKILL', expected: true });
  });

  it('takes its children with it when it dies', async () => {
    const part = await startPart(shell('sleep 300 & echo $!; wait'));
    const child = await childOf(part.logFile);
    part.kill();
    await part.died;
    await untilGone(child);
  });

  it('that ends before it is ready is an error with the last lines of its log', async () => {
    const failing = startPart({ ...shell('echo the reason; exit 3'), ready: () => Promise.resolve(false) });
    const error = await failing.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(StartError);
    expect(String(error)).to.match(/a shell ended with exit code 3 before it was ready[^]*\| the reason/);
  });

  it('that does not become ready in time is stopped again', async () => {
    const late = startPart({
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

  it('that cannot be run at all says so', async () => {
    const missing = startPart({ ...shell(''), command: '/nowhere/program' });
    const error = await missing.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(String(error)).to.match(/a shell could not be run: .*ENOENT/);
  });

  it('sees nothing of our environment but what programs need', async () => {
    process.env.SOME_PASSWORD = 'secret';
    const { SOME_PASSWORD, PATH } = inheritedEnv();
    delete process.env.SOME_PASSWORD;
    expect(SOME_PASSWORD).to.equal(undefined);
    expect(PATH).to.equal(process.env.PATH);
  });

  it('that runs to its end fails by its exit code', async () => {
    await runToEnd({ ...shell('exit 0'), timeoutMs: 5000 });
    const failing = runToEnd({ ...shell('exit 4'), timeoutMs: 5000 });
    const error = await failing.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(String(error)).to.match(/ended with exit code 4/);
  });

  it('is gone with its temporary folder soon after its parent was killed with -9, even if it ignores SIGTERM', async function () {
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
