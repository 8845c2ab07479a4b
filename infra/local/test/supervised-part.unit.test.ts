import { mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { supervise, type PartNews } from '../supervised-part.ts';
import { fakePart } from './fake-part.ts';

describe('A supervised part', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
  afterEach(() => mock.timers.reset());

  function supervised(restarts: 'automatic' | 'manual') {
    const started: ReturnType<typeof fakePart>[] = [];
    const news: PartNews[] = [];
    let fault: Error | undefined;
    const part = supervise({
      name: 'tasks',
      restarts,
      tell: (one) => news.push(one),
      start: () => {
        if (fault) return Promise.reject(fault);
        const fake = fakePart('tasks', []);
        started.push(fake);
        return Promise.resolve(fake);
      },
    });
    return { part, started, news, failFromNowOn: () => (fault = new Error('port taken')) };
  }

  it('that dies is told of with its last words and started again, after pauses that grow', async () => {
    const { part, started, news } = supervised('automatic');
    await part.start();
    for (const pauseMs of [500, 1000, 2000]) {
      started.at(-1)?.die();
      await turn();
      mock.timers.tick(pauseMs);
      await turn();
    }
    expect(started).to.have.length(4);
    expect(news[0]).to.deep.equal({
      kind: 'died',
      part: 'tasks',
      how: 'by SIGKILL',
      lastLines: 'last words',
      logFile: 'tasks.log',
    });
    expect(news.filter((one) => one.kind === 'restarting').map((one) => one.inMs)).to.deep.equal([500, 1000, 2000]);
  });

  it('that cannot be started again is tried on', async () => {
    const { part, started, news, failFromNowOn } = supervised('automatic');
    await part.start();
    failFromNowOn();
    started[0]?.die();
    await turn();
    mock.timers.tick(500);
    await turn();
    expect(news.map((one) => one.kind)).to.deep.equal(['died', 'restarting', 'failed', 'restarting']);
  });

  it('stays down after stop', async () => {
    const { part, started, news } = supervised('automatic');
    await part.start();
    await part.stop();
    await turn();
    mock.timers.tick(60_000);
    await turn();
    expect(started).to.have.length(1);
    expect(news).to.deep.equal([]);
  });

  it('whose restarts are manual stays down until it is started', async () => {
    const { part, started } = supervised('manual');
    await part.start();
    await part.kill();
    mock.timers.tick(60_000);
    await turn();
    expect(started).to.have.length(1);
    expect(part.pid()).to.equal(undefined);
    await part.start();
    expect(started).to.have.length(2);
  });
});
