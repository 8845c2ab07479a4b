import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { useJobServer } from './job-server.ts';
import { shortSettings } from './short-times.ts';

const program = fileURLToPath(new URL('worker-process.ts', import.meta.url));

describe('A worker in a separate process', function () {
  this.timeout(60_000);
  const server = useJobServer();

  function start(times: Parameters<typeof shortSettings>[1]) {
    const settings = JSON.stringify(shortSettings(server.url, times));
    const child = spawn(process.execPath, ['--no-warnings', program, settings], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return { child, ended: once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]> };
  }

  it('keeps the lease of a handler that keeps the event loop busy for longer than the lease', async () => {
    const [job] = server.enqueue(1, { spinMs: 1.2 * server.leaseMs });
    const { child, ended } = start({});
    await server.until(() => job?.state === 'succeeded');
    expect(job?.attempt).to.equal(1);
    child.kill();
    await ended;
  });

  it('finishes jobs that end within the grace period after SIGTERM, releases the rest, and ends by the signal', async () => {
    const [ending] = server.enqueue(1, { endsAfterSignal: true });
    const [long] = server.enqueue(1, {});
    const { child, ended } = start({ concurrency: 2, graceMs: 300 });
    await server.until(() => server.jobs.every(({ state }) => state === 'leased'));
    await server.until(() => server.requestsOf('heartbeat').length > 0);
    child.kill('SIGTERM');
    const [code, signal] = await ended;
    expect([code, signal]).to.deep.equal([null, 'SIGTERM']);
    expect(ending).to.deep.include({ state: 'succeeded', attempt: 1 });
    expect(long).to.deep.include({ state: 'queued', endings: [{ release: true }] });
  });
});
