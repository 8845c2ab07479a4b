import { expect } from 'chai';
import { showFigure } from '@taskwire/testing';
import type { ClaimedJob } from '../../src/app/jobs/ports.ts';
import { runClaim, type ClaimState } from '../../src/postgres/jobs/claim.ts';
import { createFloors } from '../../src/postgres/jobs/floors.ts';
import { createQueuedKeys } from '../../src/postgres/jobs/queued-keys.ts';
import { countedDatabase, type CountedDatabase } from '../support/buffers.ts';
import { jobsHarness, type JobsHarness } from '../support/jobs-harness.ts';

const backlog = 100_000;
const limit = 3;
/** Each queue with the number of its queued jobs of the saturated key. */
const queues = { busy: backlog, short: 5, quiet: 0 };
type Queue = keyof typeof queues;
const names = Object.keys(queues) as Queue[];

/** The most that a backlog may cost the claims of other jobs. */
const most = 1.1;

/** Claims that are measured, after some in which PostgreSQL makes and keeps its plans. */
const measured = 100;
const warmUp = 20;

describe(`A backlog of ${backlog} jobs of a key with ${limit} running jobs, its limit`, function () {
  this.timeout(240_000);
  let harness: JobsHarness;
  let counted: CountedDatabase;
  let claim: (queue: Queue, size: number) => Promise<readonly ClaimedJob[]>;
  /** The number of claims of each queue, and the time for which they remember that all keys were saturated. */
  let round = 0;
  let clock = 0;

  before(async () => {
    harness = await jobsHarness();
    const state: ClaimState = {
      // reads through other connections, so its scans are not counted
      floors: createFloors(harness.database.db.pool),
      keys: createQueuedKeys(harness.database.db.pool),
      saturated: new Map(),
      // jobs with a key come first in every other claim
      ...{ now: () => clock, random: () => round % 2 },
    };
    claim = async (queue, size) => {
      const claimId = crypto.randomUUID();
      const given = { clientId: 'worker', claimId, queues: [queue], limit: size, leaseMs: 30_000, worker: 'w1' };
      return await runClaim(counted.db, given, state);
    };
    await harness.sql(leasedElsewhere);
    for (const queue of names) {
      await harness.sql(
        `INSERT INTO job_limits (queue, key, max_running, updated_by) VALUES ($1, 'slow', $2, 'test'), ($1, '*', 1000000, 'test')`,
        [queue, limit],
      );
      await insert([queue], 'slow', queues[queue] + limit);
    }
    counted = await countedDatabase(harness.database.url);
    for (const queue of names) {
      expect(await claim(queue, limit)).to.have.length(limit);
      expect(await claim(queue, limit)).to.deep.equal([]);
    }
    await counted.db.close();
  });
  after(async () => await harness.stop());
  // a process that starts now makes its plans for the table as it is
  beforeEach(async () => (counted = await countedDatabase(harness.database.url)));
  afterEach(async () => await counted.db.close());

  /** Inserts as many jobs into each queue, in turn, so that all of them lie on similar pages. Batches keep to the time limit of a statement. */
  async function insert(into: readonly Queue[], key: string | null, count: number): Promise<void> {
    for (let left = count; left > 0; left -= 10_000)
      await harness.sql(
        `INSERT INTO jobs (queue, kind, payload, payload_bytes, state, priority, run_at, rank_at, max_attempts, created_by, concurrency_key)
         SELECT queue, 'test', '{}', 2, 'queued', 0, now(), now(), 20, 'test', $2
         FROM generate_series(1, $3) CROSS JOIN unnest($1::text[]) AS given (queue)`,
        [into, key, Math.min(left, 10_000)],
      );
  }

  /** Ends leases, so that few jobs of another limited key run. */
  async function complete(jobs: readonly ClaimedJob[]): Promise<void> {
    const ids = jobs.map((job) => (JSON.parse(job) as { id: string }).id);
    await harness.sql("UPDATE jobs SET state = 'succeeded', fence = NULL, settled_at = now() WHERE id = ANY ($1)", [
      ids,
    ]);
  }

  /** The buffers that each queue's claims of `size` jobs read for one job. */
  async function buffersPerJob(key: string | null, size: number): Promise<Record<Queue, number>> {
    await insert(names, key, size * (warmUp + measured));
    await harness.sql('ANALYZE jobs');
    const sums: Record<Queue, number> = { busy: 0, short: 0, quiet: 0 };
    for (let time = 0; time < warmUp + measured; time++) {
      round += 1;
      // 500 claims a second; while PostgreSQL makes its plans, claims remember nothing, and use all statements
      clock += time < warmUp ? 1_000 : 2;
      // each queue is the first one in turn, because pages are filled in the order of claims
      for (const queue of [...names.slice(time % 3), ...names.slice(0, time % 3)]) {
        let claimed: readonly ClaimedJob[] = [];
        const buffers = await counted.buffersOf(async () => (claimed = await claim(queue, size)));
        expect(claimed).to.have.length(size);
        await complete(claimed);
        if (time >= warmUp) sums[queue] += buffers / measured / size;
      }
    }
    showFigure(names.map((queue) => `${queue} ${sums[queue].toFixed(1)}`).join(', '));
    return sums;
  }

  for (const [kind, key, size] of [
    ['without a key', null, 1],
    ['without a key', null, 10],
    ['without a key', null, 100],
    ['of another limited key', 'quick', 1],
    ['of another limited key', 'quick', 10],
    ['of another limited key', 'quick', 100],
  ] as const) {
    it(`lets claims of ${size} read at most ${most} times the buffers for each job ${kind}`, async () => {
      const { busy, short, quiet } = await buffersPerJob(key, size);
      expect(busy / quiet).to.be.below(most);
      expect(busy / short, 'than with a backlog of a few jobs').to.be.below(most);
    });
  }
});

/** 10,000 older leases, which no claim should read. With so few queues and keys, PostgreSQL expects to find some of the saturated key among them. */
const leasedElsewhere = `
  INSERT INTO jobs (queue, kind, payload, payload_bytes, state, priority, run_at, rank_at, max_attempts, created_by, concurrency_key,
    fence, lease_ms, lease_expires_at, leased_at)
  SELECT 'elsewhere', 'test', '{}', 2, 'leased', 0, now(), now(), 20, 'test', 'other', nextval('job_fences'), 3600000, now() + interval '1 hour', now()
  FROM generate_series(1, 10000) AS n`;
