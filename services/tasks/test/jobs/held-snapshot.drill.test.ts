import { showFigure } from '@taskwire/testing';
import { expect } from 'chai';
import type { ClaimedJob } from '../../src/app/jobs/ports.ts';
import { readLeaseToken } from '../../src/domain/jobs/lease-token.ts';
import { jobsHarness, type JobsHarness } from '../support/jobs-harness.ts';

/** Dead entries of indexes accumulate while the snapshot is held: about 30,000 jobs. */
const seconds = 30;
const queue = 'thumbnails';

describe('Jobs while another connection holds a snapshot', function () {
  this.timeout(240_000);
  let harness: JobsHarness;
  before(async () => (harness = await jobsHarness()));
  after(async () => await harness.stop());

  const settled = new Set<string>();

  /** Enqueues, claims and settles with three workers. @returns the jobs that were settled per second. */
  async function work(): Promise<number> {
    const { jobs } = harness.service;
    const until = performance.now() + seconds * 1_000;
    const before = settled.size;
    const job = { queue, kind: 'test', payload: '{}', runAt: null, priority: 0, maxAttempts: 3, deadline: null };
    const batch = Array.from({ length: 100 }, () => ({
      ...job,
      unique: null,
      concurrencyKey: null,
      after: [],
      createdBy: 'test',
    }));
    const workers = Array.from({ length: 3 }, async (_, index) => {
      const name = `w${index}`;
      while (performance.now() < until) {
        await jobs.enqueue({ jobs: batch, request: undefined }, () => '[]' as never);
        await jobs.heard();
        const claimId = crypto.randomUUID();
        const claim = { clientId: name, claimId, queues: [queue], limit: 100, leaseMs: 30_000, worker: name };
        const leases = (await jobs.claim(claim)).map((one: ClaimedJob) =>
          readLeaseToken((JSON.parse(one) as { lease_token: string }).lease_token),
        );
        const answers = await jobs.settle(
          leases.map((lease) => ({ lease, ending: { kind: 'completed' } })),
          [queue],
        );
        expect(answers.size).to.equal(leases.length);
        for (const { id } of leases) {
          expect(settled.has(id), 'settled twice').to.equal(false);
          settled.add(id);
        }
      }
    });
    await Promise.all(workers);
    return (settled.size - before) / seconds;
  }

  it('are claimed and settled once each, at about the same rate', async () => {
    const free = await work();
    const client = await harness.service.db.pool.connect();
    try {
      await client.query('SET idle_in_transaction_session_timeout = 0');
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      await client.query('SELECT count(*) FROM jobs');
      const held = await work();
      showFigure(`${free.toFixed()} jobs/s, ${held.toFixed()} with a held snapshot (${(held / free).toFixed(2)})`);
    } finally {
      // with its setting
      client.release(true);
    }
    const [row] = await harness.sql<{ succeeded: number; twice: number }>(
      `SELECT (SELECT count(*) FROM jobs WHERE state = 'succeeded')::integer AS succeeded,
         (SELECT count(*) - count(DISTINCT job_id) FROM job_attempts)::integer AS twice`,
    );
    expect(row).to.deep.equal({ succeeded: settled.size, twice: 0 });
  });
});
