import { query } from '@taskwire/postgres';
import { showFigure, waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import type { ClaimedJob } from '../../src/app/jobs/ports.ts';
import { readLeaseToken, type Lease } from '../../src/domain/jobs/lease-token.ts';
import { countClaimable, runClaim, type ClaimState } from '../../src/postgres/jobs/claim.ts';
import { createFloors } from '../../src/postgres/jobs/floors.ts';
import { createQueuedKeys } from '../../src/postgres/jobs/queued-keys.ts';
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

type Keys = readonly (string | null)[];
const tenKeys: Keys = Array.from({ length: 10 }, (_, place) => `k${place}`);

/** The floors and keys of the queues that a process knows. */
type Known = Pick<ClaimState, 'floors' | 'keys'>;

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

  /** Enqueues jobs with each of the concurrency keys in turn. */
  async function enqueue(count: number, keys: Keys = [null]): Promise<void> {
    const job = { queue, kind: 'test', payload: '{}', runAt: null, priority: 0, maxAttempts: 3, deadline: null };
    const jobs = Array.from({ length: count }, (_, place) => ({
      ...job,
      unique: null,
      concurrencyKey: keys[place % keys.length] ?? null,
      after: [],
      senderQueues: null,
      createdBy: 'test',
    }));
    await harness.service.jobs.enqueue({ jobs, request: undefined }, () => '[]' as never);
  }

  async function claim(worker: string): Promise<Lease[]> {
    const claimId = crypto.randomUUID();
    const given = { clientId: worker, claimId, queues: [queue], limit: 100, leaseMs: 3_600_000, worker };
    return leasesOf(await harness.service.jobs.claim(given));
  }

  const leasesOf = (jobs: readonly ClaimedJob[]): Lease[] =>
    jobs.map((one) => readLeaseToken((JSON.parse(one) as { lease_token: string }).lease_token));

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
    before(async () => {
      // another database, without the entries of the jobs above
      await harness.stop();
      harness = await jobsHarness();
      counted = await countedDatabase(harness.database.url);
    });
    after(async () => await counted.db.close());

    /** Enqueues, claims and settles jobs, which leave their entries in the indexes while the snapshot is held. */
    async function churn(keys?: Keys): Promise<void> {
      for (let left = churned; left > 0; left -= 1_000) {
        await enqueue(1_000, keys);
        for (let part = 0; part < 10; part++) await complete(await claim('w1'));
      }
      // as autovacuum does every minute
      await harness.sql('ANALYZE');
    }

    /** The buffers that a claim of ten jobs reads, and a count of the jobs to claim: averages. */
    async function buffersOf(from: Known): Promise<Record<'claim' | 'count', number>> {
      const state: ClaimState = { ...from, saturated: new Map(), now: () => 0, random: () => 1 };
      const sums = { claim: 0, count: 0 };
      for (let time = 0; time < warmUp + measured; time++) {
        const claimId = crypto.randomUUID();
        const given = { clientId: 'w1', claimId, queues: [queue], limit: 10, leaseMs: 3_600_000, worker: 'w1' };
        // on a fast machine, all of these claims may be made before the floors rise by themselves
        await from.floors.scan([queue]);
        let claimed: readonly ClaimedJob[] = [];
        const claim = await counted.buffersOf(async () => (claimed = await runClaim(counted.db, given, state)));
        expect(claimed).to.have.length(10);
        await complete(leasesOf(claimed));
        const values = [[queue], from.floors.of([queue]), 10, from.keys.unreadFrom([queue])];
        const count = await counted.buffersOf(async () => await query(counted.db.pool, { ...countClaimable, values }));
        if (time < warmUp) continue;
        sums.claim += claim / measured;
        sums.count += count / measured;
      }
      return sums;
    }

    /** Raises the floors above all jobs that have been enqueued. */
    async function raiseFloors({ floors, keys }: Known): Promise<void> {
      const isAbove = 'SELECT least($1::timestamptz, $2) > max(rank_at) AS above FROM jobs';
      await waitFor(async () => {
        await floors.scan([queue]);
        await keys.readNew([queue]);
        return (await harness.sql<{ above: boolean }>(isAbove, [...floors.of([queue]), ...keys.unreadFrom([queue])]))[0]
          ?.above;
      });
    }

    /** The same without the floors. */
    const withoutFloors = ({ floors, keys }: Known): Known => ({
      floors: { ...floors, of: () => ['-infinity'] },
      keys: {
        ...keys,
        unreadFrom: () => ['-infinity'],
        begin(name) {
          const claim = keys.begin(name);
          const known = claim.keys.map((key) => ({ ...key, floor: '-infinity', fences: [], counted: '0' }));
          return { ...claim, keys: known };
        },
      },
    });

    for (const [kind, keys] of [
      ['without a concurrency key', [null]],
      ['with ten keys that have a limit, one of which has a job that runs for long,', tenKeys],
    ] as const)
      it(`claims and counts of jobs ${kind} pass over their entries only without the floors`, async () => {
        // these read through other connections, so their scans are not counted
        const { pool } = harness.database.db;
        const process = { floors: createFloors(pool), keys: createQueuedKeys(pool) };
        await harness.sql(
          `INSERT INTO job_limits (queue, key, max_running, updated_by, updated_at) VALUES ($1, '*', 1000, 'test', now() - interval '1 hour')
           ON CONFLICT DO NOTHING`,
          [queue],
        );
        await enqueue(1, keys);
        const [long] = await claim('w2');
        const jobs = 10 * (warmUp + measured);
        await enqueue(jobs, keys);
        await harness.sql('ANALYZE');
        await process.floors.scan([queue]);
        const free = await buffersOf(process);
        const { held, without } = await withSnapshot(async () => {
          await churn(keys);
          await raiseFloors(process);
          await enqueue(2 * jobs, keys);
          return { held: await buffersOf(process), without: await buffersOf(withoutFloors(process)) };
        });
        await complete([long!]);
        for (const what of ['claim', 'count'] as const) {
          const [before, now, all] = [free[what], held[what], without[what]].map(Math.round) as [
            number,
            number,
            number,
          ];
          showFigure(`buffers of a ${what}: ${before}, ${now} with a held snapshot, ${all} then without the floors`);
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
