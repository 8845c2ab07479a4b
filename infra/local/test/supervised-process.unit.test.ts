import { mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { supervise, type ProcessEvent } from '../supervised-process.ts';
import { fakeProcess } from './fake-process.ts';

describe('A supervised process', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
  afterEach(() => mock.timers.reset());

  function supervised(restarts: 'automatic' | 'manual') {
    const started: ReturnType<typeof fakeProcess>[] = [];
    const events: ProcessEvent[] = [];
    let fault: Error | undefined;
    const child = supervise({
      name: 'tasks',
      restarts,
      onEvent: (event) => events.push(event),
      start: () => {
        if (fault) return Promise.reject(fault);
        const fake = fakeProcess('tasks', []);
        started.push(fake);
        return Promise.resolve(fake);
      },
    });
    return { child, started, events, failFromNowOn: () => (fault = new Error('port taken')) };
  }

  it('is reported with its last log lines when it ends by itself, and restarted after growing pauses', async () => {
    const { child, started, events } = supervised('automatic');
    await child.start();
    for (const pauseMs of [500, 1000, 2000]) {
      started.at(-1)?.die();
      await turn();
      mock.timers.tick(pauseMs);
      await turn();
    }
    expect(started).to.have.length(4);
    expect(events[0]).to.deep.equal({
      kind: 'exited',
      process: 'tasks',
      how: 'by SIGKILL',
      lastLines: 'last words',
      logFile: 'tasks.log',
    });
    expect(events.filter((one) => one.kind === 'restarting').map((one) => one.inMs)).to.deep.equal([500, 1000, 2000]);
  });

  it('is retried when a restart fails', async () => {
    const { child, started, events, failFromNowOn } = supervised('automatic');
    await child.start();
    failFromNowOn();
    started[0]?.die();
    await turn();
    mock.timers.tick(500);
    await turn();
    expect(events.map((one) => one.kind)).to.deep.equal(['exited', 'restarting', 'failed', 'restarting']);
  });

  it('stays down after stop()', async () => {
    const { child, started, events } = supervised('automatic');
    await child.start();
    await child.stop();
    await turn();
    mock.timers.tick(60_000);
    await turn();
    expect(started).to.have.length(1);
    expect(events).to.deep.equal([]);
  });

  it('stays down until it is started when restarts are manual', async () => {
    const { child, started } = supervised('manual');
    await child.start();
    await child.kill();
    mock.timers.tick(60_000);
    await turn();
    expect(started).to.have.length(1);
    expect(child.pid()).to.equal(undefined);
    await child.start();
    expect(started).to.have.length(2);
  });
});
