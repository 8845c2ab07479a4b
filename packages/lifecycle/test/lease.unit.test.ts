import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { createTelemetry } from '@taskwire/telemetry';
import { simulateWork, waitFor } from '@taskwire/testing';
import { createSteadiness, startHeartbeat } from '../src/index.ts';

describe('a heartbeat', () => {
  const { logger } = createTelemetry({ service: 'test', stream: new PassThrough().resume() });

  it('renews periodically, one renewal at a time, until it is stopped', async () => {
    let running = 0;
    let most = 0;
    let beats = 0;
    const renew = async () => {
      most = Math.max(most, ++running);
      await simulateWork(8);
      running -= 1;
      beats += 1;
    };
    const heartbeat = startHeartbeat({ name: 'test', everyMs: 2, renew, logger });
    await waitFor(() => beats >= 5);
    heartbeat.stop();
    const stopped = beats + running;
    // the duration of fifteen beats
    await simulateWork(30);
    expect([most, beats]).to.deep.equal([1, stopped]);
  });

  it('continues after a failed renewal', async () => {
    let beats = 0;
    const renew = async () => {
      beats += 1;
      throw new Error('the database is unavailable');
    };
    const heartbeat = startHeartbeat({ name: 'test', everyMs: 2, renew, logger });
    await waitFor(() => beats >= 3);
    heartbeat.stop();
  });
});

describe('a process', () => {
  it('treats no expired lease as a dead process after a failed round, for the duration of a lease', async () => {
    const steadiness = createSteadiness(40);
    expect(steadiness.isSteady()).to.equal(true);
    await steadiness.during(async () => Promise.reject(new Error('unavailable'))).catch(() => undefined);
    expect(steadiness.isSteady()).to.equal(false);
    expect(await steadiness.during(async () => 1)).to.equal(1);
    await waitFor(() => steadiness.isSteady());
  });
});
