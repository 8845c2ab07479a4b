import { query } from '@taskwire/postgres';
import { showFigure, waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import type { ClaimedJob } from '../../src/app/jobs/ports.ts';
import { readLeaseToken, type Lease } from '../../src/domain/jobs/lease-token.ts';
import { countClaimable, runClaim, type ClaimState } from '../../src/postgres/jobs/claim.ts';
import { createFloors, type Floors } from '../../src/postgres/jobs/floors.ts';
import { reaping } from '../../src/postgres/jobs/reap.ts';
import { countedDatabase, type CountedDatabase } from '../support/buffers.ts';
import { jobsHarness, type JobsHarness } from '../support/jobs-harness.ts';

/** Dead entries of indexes accumulate while the snapshot is held: tens of thousands of jobs. */
const seconds = 30;
const queue = 'thumbnails';

/** Jobs that leave dead entries in the indexes. */
const churned = 20_000;
const measured = 20;
const warmUp = 10;

describe('Jobs while another connection holds a snapshot', function () {
  this.timeout(240_000);
  let harness: JobsHarness;
  before(async () => (harness = await jobsHarness()));
  after(async () => await harness.stop());

  const settled = new Set<string>();

  /** Runs `work` while another connection holds a snapshot. */
  async function withSnapshot<T>(work: () => Promise<T>): Promise<T> {
    const client = await harness.database.db.pool.connect();
    try {
      await client.query('SET idle_in_transaction_session_timeout = 0');
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      await client.query('SELECT count(*) FROM jobs');
      return await work();
    } finally {
      // with its setting
      client.release(true);
    }
  }

  async function enqueue(count: number): Promise<void> {
    const job = { queue, kind: 'test', payload: '{}', runAt: null, priority: 0, maxAttempts: 3, deadline: null };
    const jobs = Array.from({ length: count }, () => ({
      ...job,
      unique: null,
      concurrencyKey: null,
      after: [],
      createdBy: 'test',
    }));
    await harness.service.jobs.enqueue({ jobs, request: undefined }, () => '[]' as never);
  }

  async function claim(worker: string): Promise<Lease[]> {
    const claimId = crypto.randomUUID();
    const given = { clientId: worker, claimId, queues: [queue], limit: 100, leaseMs: 3_600_000, worker };
    return (await harness.service.jobs.claim(given)).map((one: ClaimedJob) =>
      readLeaseToken((JSON.parse(one) as { lease_token: string }).lease_token),
    );
  }

  async function complete(leases: readonly Lease[]): Promise<void> {
    const items = leases.map((lease) => ({ lease, ending: { kind: 'completed' } as const }));
    expect((await harness.service.jobs.settle(items, [queue])).size).to.equal(leases.length);
    for (const { id } of leases) {
      expect(settled.has(id), 'settled twice').to.equal(false);
      settled.add(id);
    }
  }

  /** Enqueues, claims and settles with three workers. @returns the jobs that were settled per second. */
  async function work(): Promise<number> {
    const until = performance.now() + seconds * 1_000;
    const before = settled.size;
    const workers = Array.from({ length: 3 }, async (_, index) => {
      while (performance.now() < until) {
        await enqueue(100);
        await harness.service.jobs.heard();
        await complete(await claim(`w${index}`));
      }
    });
    await Promise.all(workers);
    return (settled.size - before) / seconds;
  }

  it('are claimed and settled once each, at about the same rate', async () => {
    const free = await work();
    const held = await withSnapshot(work);
    showFigure(`${free.toFixed()} jobs/s, ${held.toFixed()} with a held snapshot (${(held / free).toFixed(2)})`);
    const [row] = await harness.sql<{ succeeded: number; twice: number }>(
      `SELECT (SELECT count(*) FROM jobs WHERE state = 'succeeded')::integer AS succeeded,
         (SELECT count(*) - count(DISTINCT job_id) FROM job_attempts)::integer AS twice`,
    );
    expect(row).to.deep.equal({ succeeded: settled.size, twice: 0 });
  });

  describe(`after ${churned} jobs`, () => {
    let counted: CountedDatabase;
    /** These read through other connections, so their scans are not counted. */
    let floors: Floors;
    before(async () => {
      // another database, without the entries of the jobs above
      await harness.stop();
      harness = await jobsHarness();
      counted = await countedDatabase(harness.database.url);
      floors = createFloors(harness.database.db.pool);
    });
    after(async () => await counted.db.close());

    /** Enqueues, claims and settles jobs, which leave their entries in the indexes while the snapshot is held. */
    async function churn(): Promise<void> {
      for (let left = churned; left > 0; left -= 1_000) {
        await enqueue(1_000);
        for (let part = 0; part < 10; part++) await complete(await claim('w1'));
      }
      // as autovacuum does every minute
      await harness.sql('ANALYZE');
    }

    /** The buffers that a claim of ten jobs reads, and a count of the jobs to claim: averages. */
    async function buffersOf(from: Pick<Floors, 'of'>): Promise<{ claim: number; count: number }> {
      const state: ClaimState = {
        ...{ floors: { ...floors, ...from }, keyed: new Set(), turns: new Map(), saturated: new Map() },
        ...{ now: () => 0, random: () => 1 },
      };
      const sums = { claim: 0, count: 0 };
      for (let time = 0; time < warmUp + measured; time++) {
        const claimId = crypto.randomUUID();
        const given = { clientId: 'w1', claimId, queues: [queue], limit: 10, leaseMs: 3_600_000, worker: 'w1' };
        const claim = await counted.buffersOf(async () =>
          expect(await runClaim(counted.db, given, state)).to.have.length(10),
        );
        const counting = { ...countClaimable, values: [[queue], from.of([queue]), 10] };
        const count = await counted.buffersOf(async () => await query(counted.db.pool, counting));
        if (time < warmUp) continue;
        sums.claim += claim / measured;
        sums.count += count / measured;
      }
      return sums;
    }

    /** Raises the floors above all jobs that have been enqueued. */
    async function raiseFloors(): Promise<void> {
      const isAbove = 'SELECT $1::timestamptz > max(rank_at) AS above FROM jobs';
      await waitFor(async () => {
        await floors.scan([queue]);
        return (await harness.sql<{ above: boolean }>(isAbove, floors.of([queue])))[0]?.above;
      });
    }

    it('claims and counts pass over their entries only without the floors', async () => {
      const jobs = 10 * (warmUp + measured);
      await enqueue(jobs);
      await harness.sql('ANALYZE');
      await floors.scan([queue]);
      const free = await buffersOf(floors);
      const { held, without } = await withSnapshot(async () => {
        await churn();
        await raiseFloors();
        await enqueue(2 * jobs);
        return { held: await buffersOf(floors), without: await buffersOf({ of: () => ['-infinity'] }) };
      });
      for (const kind of ['claim', 'count'] as const) {
        const [before, now, all] = [free[kind], held[kind], without[kind]].map(Math.round) as [number, number, number];
        showFigure(`buffers of a ${kind}: ${before}, ${now} with a held snapshot, ${all} then without the floors`);
        // the jobs that were claimed since the floors rose have left entries too, on about 20 pages
        expect(now).to.be.below(before * 1.5);
        expect(all).to.be.above(now * 4);
      }
    });

    it('the reaper passes over their entries a few times, and then starts above them, although a job runs since before', async () => {
      await harness.sql("UPDATE jobs SET state = 'cancelled', fence = NULL, settled_at = now() WHERE state = 'leased'");
      let clock = 0;
      const ignore = () => undefined;
      const hints = { queued: ignore, scheduled: ignore, freed: ignore, expired: ignore };
      const newReaper = () => reaping(counted.db, hints, () => clock);
      /** Runs rounds of a reaper, one a second. @returns the buffers that each one reads. */
      async function roundsOf(reap: ReturnType<typeof newReaper>, count: number): Promise<number[]> {
        const read: number[] = [];
        while (read.length < count) {
          clock += 1_000;
          await harness.hear();
          read.push(await counted.buffersOf(async () => expect(await reap()).to.include({ expired: 0 })));
        }
        return read;
      }
      // a job that runs for long
      await enqueue(1);
      expect(await claim('w1')).to.have.length(1);
      const reaper = newReaper();
      const free = await roundsOf(reaper, 20);
      const { held, without } = await withSnapshot(async () => {
        await churn();
        return { held: await roundsOf(reaper, 30), without: await roundsOf(newReaper(), 1) };
      });
      const most = 10 * free.at(-1)!;
      showFigure(
        `buffers of a round: ${free.at(-1)}, ${held.join(' ')} with a held snapshot, ${without.join()} without the floor`,
      );
      // a fence counts as passed after ten seconds, and a round starts at the floor every five
      expect(held.filter((buffers) => buffers > most).length).to.be.at.most(4);
      expect(Math.max(...held.slice(20))).to.be.at.most(most);
      expect(Math.max(...without)).to.be.above(most);
    });
  });
});
