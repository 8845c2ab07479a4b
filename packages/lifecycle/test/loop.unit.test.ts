import { once, EventEmitter } from 'node:events';
import { expect } from 'chai';
import { createTelemetry } from '@taskwire/telemetry';
import { PassThrough } from 'node:stream';
import { createLoop } from '../src/index.ts';

const { logger } = createTelemetry({ service: 'test', stream: new PassThrough().resume() });

/** The timeout of tests that wait for a round, which may never start. */
const limitMs = 1000;

describe('a loop', () => {
  it('runs the next round at once while there is more work, then pauses until it is woken', async () => {
    const rounds = new EventEmitter();
    let count = 0;
    const loop = createLoop({
      name: 'test',
      logger,
      intervalMs: 3_600_000,
      tick: async () => {
        count += 1;
        if (count === 3 || count === 4) rounds.emit(`round ${count}`);
        return count < 3 ? 'more' : 'idle';
      },
    });
    const third = once(rounds, 'round 3');
    await loop.start();
    await third;
    const fourth = once(rounds, 'round 4');
    loop.wake();
    await fourth;
    await loop.stop();
    expect(count).to.equal(4);
  });

  it('does not lose a wake-up during a round', async () => {
    const rounds = new EventEmitter();
    let count = 0;
    const loop = createLoop({
      name: 'test',
      logger,
      intervalMs: 3_600_000,
      tick: async () => {
        count += 1;
        if (count === 1) loop.wake();
        if (count === 2) rounds.emit('second');
        return 'idle';
      },
    });
    const second = once(rounds, 'second');
    await loop.start();
    await second;
    await loop.stop();
    expect(count).to.equal(2);
  }).timeout(limitMs);

  it('runs one round at a time', async () => {
    let inside = 0;
    let most = 0;
    const loop = createLoop({
      name: 'test',
      logger,
      intervalMs: 1,
      tick: async () => {
        most = Math.max(most, ++inside);
        await new Promise((resolve) => setImmediate(resolve));
        inside -= 1;
        return 'idle';
      },
    });
    await Promise.all([loop.tick(), loop.tick(), loop.tick()]);
    expect(most).to.equal(1);
  });

  it('continues after a failed round', async () => {
    const rounds = new EventEmitter();
    let count = 0;
    const loop = createLoop({
      name: 'test',
      logger,
      intervalMs: 1,
      maxBackOffMs: 1,
      tick: async () => {
        count += 1;
        if (count === 1) throw new Error('once');
        rounds.emit('again');
        return 'idle';
      },
    });
    const again = once(rounds, 'again');
    await loop.start();
    await again;
    await loop.stop();
    expect(count).to.be.at.least(2);
  }).timeout(limitMs);

  it('aborts the running round when it stops, and waits for it', async () => {
    let ended = false;
    const loop = createLoop({
      name: 'test',
      logger,
      intervalMs: 1,
      tick: async (signal) => {
        await once(signal, 'abort');
        ended = true;
        return 'idle';
      },
    });
    await loop.start();
    await loop.stop();
    expect(ended).to.equal(true);
  });
});
