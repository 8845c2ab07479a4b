import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { createTelemetry } from '@taskwire/telemetry';
import { simulateWork, waitFor } from '@taskwire/testing';
import { createWorkerPool, type WorkerPool } from '../src/index.ts';

const { logger } = createTelemetry({ service: 'test', stream: new PassThrough().resume() });

/** A queue of numbered jobs. */
function createQueue(count: number) {
  const due = Array.from({ length: count }, (_, n) => n);
  const claims: number[] = [];
  return {
    due,
    /** The number of jobs in each claim. */
    claims,
    async claim(places: number): Promise<number[]> {
      const claimed = due.splice(0, places);
      claims.push(claimed.length);
      return claimed;
    },
  };
}

describe('worker pool', function () {
  this.timeout(5_000);
  let pool: WorkerPool<number> | undefined;
  afterEach(async () => await pool?.stop());

  const onlyWhenWoken = { intervalMs: 3_600_000, logger, name: 'test' };

  it('refills each slot as soon as its job ends, while a slow job occupies one', async () => {
    const queue = createQueue(20);
    const slow = Promise.withResolvers<void>();
    const done: number[] = [];
    let running = 0;
    let most = 0;
    const run = async (job: number): Promise<void> => {
      most = Math.max(most, ++running);
      await (job === 0 ? slow.promise : simulateWork(1));
      running -= 1;
      done.push(job);
    };
    pool = createWorkerPool({ ...onlyWhenWoken, concurrency: 3, claim: queue.claim, run });
    await pool.start();
    await waitFor(() => done.length === 19);
    expect(pool.running()).to.deep.equal([0]);
    expect(most).to.equal(3);
    slow.resolve();
    await waitFor(() => done.length === 20);
  });

  it('never claims more jobs than it has free slots, and claims nothing while it is full', async () => {
    const requestedPlaces: number[] = [];
    const running = Promise.withResolvers<void>();
    const claim = async (places: number): Promise<number[]> => {
      requestedPlaces.push(places);
      return requestedPlaces.length === 1 ? [1] : Array.from({ length: places }, () => 2);
    };
    pool = createWorkerPool({ ...onlyWhenWoken, concurrency: 4, claim, run: async () => await running.promise });
    for (let n = 0; n < 2; n++) {
      void pool.tick();
      await waitFor(() => requestedPlaces.length === n + 1);
    }
    const third = pool.tick();
    await Promise.race([third, simulateWork(5)]);
    running.resolve();
    expect(await third).to.equal('more');
    expect(requestedPlaces).to.deep.equal([4, 3]);
  });

  it('ticks report more for as long as jobs are due, and wait for them', async () => {
    const queue = createQueue(3);
    const done: number[] = [];
    const run = async (job: number): Promise<void> => void done.push(job);
    pool = createWorkerPool({ ...onlyWhenWoken, concurrency: 2, claim: queue.claim, run });
    expect([await pool.tick(), await pool.tick(), await pool.tick()]).to.deep.equal(['more', 'more', 'idle']);
    expect(done).to.deep.equal([0, 1, 2]);
  });

  it('ticks reject with the error of a job, and claim again with the next tick', async () => {
    const queue = createQueue(3);
    const run = async (job: number): Promise<void> => {
      if (job === 1) throw new Error('the channel is unavailable');
    };
    pool = createWorkerPool({ ...onlyWhenWoken, concurrency: 2, claim: queue.claim, run });
    const failed = await pool.tick().catch((error: unknown) => error);
    expect(failed).to.be.an('error').with.property('message', 'the channel is unavailable');
    expect([await pool.tick(), await pool.tick()]).to.deep.equal(['more', 'idle']);
  });

  it('notices a due job at the next interval, or at once when it is woken', async () => {
    const queue = createQueue(0);
    const done: number[] = [];
    const run = async (job: number): Promise<void> => void done.push(job);
    pool = createWorkerPool({ ...onlyWhenWoken, concurrency: 2, claim: queue.claim, run });
    await pool.start();
    await waitFor(() => queue.claims.length === 1);
    queue.due.push(1);
    pool.wake();
    await waitFor(() => done.length === 1);
    await pool.stop();
    pool = createWorkerPool({ ...onlyWhenWoken, intervalMs: 5, concurrency: 2, claim: queue.claim, run });
    await pool.start();
    queue.due.push(2);
    await waitFor(() => done.length === 2);
  });

  it('probes with one job at a time after a job has rejected, until one succeeds', async () => {
    const queue = createQueue(30);
    let runs = 0;
    const run = async (): Promise<void> => {
      runs += 1;
      if (runs < 10) throw new Error('the channel is unavailable');
      await simulateWork(1);
    };
    pool = createWorkerPool({ ...onlyWhenWoken, maxBackOffMs: 2, concurrency: 5, claim: queue.claim, run });
    await pool.start();
    await waitFor(() => queue.due.length === 0);
    // five jobs at once, then four probes that fail and one that succeeds
    expect(queue.claims.slice(0, 6)).to.deep.equal([5, 1, 1, 1, 1, 1]);
    expect(queue.claims[6]).to.equal(5);
  });

  it('refills slots together when half of them are free, or after the time to gather', async () => {
    const queue = createQueue(7);
    const ends: (() => void)[] = [];
    const run = async (): Promise<void> => await new Promise((resolve) => ends.push(resolve));
    // two jobs that end together are claimed at once, although the time to gather is an hour
    pool = createWorkerPool({ ...onlyWhenWoken, gatherMs: 3_600_000, concurrency: 4, claim: queue.claim, run });
    await pool.start();
    await waitFor(() => ends.length === 4);
    ends.shift()?.();
    await waitFor(() => pool?.running().length === 3);
    expect(queue.claims).to.deep.equal([4]);
    ends.shift()?.();
    await waitFor(() => queue.claims.length === 2);
    expect(queue.claims).to.deep.equal([4, 2]);
    for (const end of ends.splice(0)) end();
    await pool.stop();
    // one job that ends is replaced after the time to gather
    const more = createQueue(4);
    pool = createWorkerPool({ ...onlyWhenWoken, gatherMs: 1, concurrency: 3, claim: more.claim, run });
    await pool.start();
    await waitFor(() => ends.length === 3);
    ends.shift()?.();
    await waitFor(() => more.claims.length === 2);
    expect(more.claims).to.deep.equal([3, 1]);
    for (const end of ends.splice(0)) end();
  });

  it('backs off when a claim rejects, and claims again', async () => {
    let claims = 0;
    const done: number[] = [];
    const claim = async (): Promise<number[]> => {
      claims += 1;
      if (claims < 3) throw new Error('no database');
      return claims === 3 ? [1] : [];
    };
    const run = async (job: number): Promise<void> => void done.push(job);
    pool = createWorkerPool({ ...onlyWhenWoken, maxBackOffMs: 2, concurrency: 1, claim, run });
    await pool.start();
    await waitFor(() => done.length === 1);
  });

  it('claims nothing more when it stops, and waits for the running jobs', async () => {
    const queue = createQueue(10);
    let ended = 0;
    const run = async (_job: number, signal: AbortSignal): Promise<void> => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await simulateWork(2);
      ended += 1;
    };
    pool = createWorkerPool({ ...onlyWhenWoken, concurrency: 2, claim: queue.claim, run });
    await pool.start();
    await waitFor(() => pool?.running().length === 2);
    await pool.stop();
    expect(ended).to.equal(2);
    expect(queue.claims).to.deep.equal([2]);
  });
});
