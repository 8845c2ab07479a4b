import { expect } from 'chai';
import fc from 'fast-check';
import { query } from '@taskwire/postgres';
import { propertyRuns, propertyTimeoutMs, testDatabase, type TestDatabase } from '@taskwire/testing';
import type { ClaimedJob, Settlement } from '../../src/app/jobs/ports.ts';
import { readLeaseToken, type Lease } from '../../src/domain/jobs/lease-token.ts';
import { migrations } from '../../src/migrations.ts';
import { createJobStore, type JobStore } from '../../src/postgres/jobs/job-store.ts';
import { reaping } from '../../src/postgres/jobs/reap.ts';
import { createTaskStore } from '../../src/postgres/task-store.ts';

/** A step of a worker or a sender, or the passing of time. Many steps fail, depending on earlier steps of others. */
type Step = { kind: (typeof kinds)[number]; lease: number; count: number };

const kinds = [
  ...['enqueue', 'claim', 'claim', 'beat', 'complete', 'complete', 'fail', 'release', 'settle again'],
  ...['crash', 'reap', 'promote', 'cancel'],
] as const;
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...kinds),
  lease: fc.nat(5),
  count: fc.integer({ min: 1, max: 4 }),
});

const queues = ['a', 'b'];

/** The responses that all workers have received. */
type Seen = {
  enqueued: Set<string>;
  fences: Map<string, number[]>;
  completed: string[];
  settlements: Map<string, string>;
};

const ignore = () => undefined;

describe('Jobs of concurrent workers', () => {
  let database: TestDatabase;
  let jobs: JobStore;
  let clock = 0;
  before(async () => {
    database = await testDatabase(migrations);
    jobs = createJobStore(
      database.db,
      createTaskStore(database.db),
      { queued: ignore, scheduled: ignore, freed: ignore, expired: ignore },
      () => clock,
    );
  });
  after(async () => await database.drop());

  const sql = async (text: string, values: readonly unknown[] = []) =>
    await query<Record<string, never>>(database.db.pool, text, values);
  const expireAll = async () =>
    await sql("UPDATE jobs SET lease_expires_at = now() - interval '1 hour' WHERE fence IS NOT NULL");
  const hear = async () => {
    await sql('UPDATE job_contact SET heard_at = clock_timestamp()');
    await sql('UPDATE job_reaper SET ticked_at = clock_timestamp(), is_outage = false');
  };
  const makeDue = async () => await sql("UPDATE jobs SET run_at = now() WHERE state = 'scheduled'");

  async function enqueue(seen: Seen, count: number): Promise<void> {
    const batch = Array.from({ length: count }, (_, index) => ({
      ...{ queue: queues[index % 2] ?? '', kind: 'test', payload: '{}', runAt: null, priority: index, maxAttempts: 3 },
      ...{ deadline: null, unique: null, concurrencyKey: null, after: [], senderQueues: null, createdBy: 'test' },
    }));
    const { text } = await jobs.enqueue(
      { jobs: batch, request: undefined },
      (receipts) => JSON.stringify(receipts.map(({ id }) => id)) as never,
    );
    for (const id of JSON.parse(text) as string[]) seen.enqueued.add(id);
  }

  async function claim(seen: Seen, worker: string, limit: number): Promise<Lease[]> {
    const claimed = await jobs.claim({
      clientId: worker,
      claimId: crypto.randomUUID(),
      queues,
      limit,
      leaseMs: 15_000,
      worker,
    });
    return claimed.map((job: ClaimedJob) => {
      const lease = readLeaseToken((JSON.parse(job) as { lease_token: string }).lease_token);
      seen.fences.set(lease.id, [...(seen.fences.get(lease.id) ?? []), Number(lease.fence)]);
      return lease;
    });
  }

  async function settle(seen: Seen, leases: readonly Lease[], ending: Settlement['ending']): Promise<void> {
    const settled = await jobs.settle(
      leases.map((lease) => ({ lease, ending })),
      queues,
    );
    for (const lease of leases) {
      const state = settled.get(lease.fence);
      if (state === undefined) continue;
      const answer = `${ending.kind}: ${JSON.stringify(state)}`;
      const first = seen.settlements.get(lease.fence);
      // a repeated settlement gets the first response; no lease is settled in two ways
      if (first !== undefined) expect(answer).to.equal(first);
      else if (state.state === 'succeeded') seen.completed.push(lease.id);
      seen.settlements.set(lease.fence, answer);
    }
  }

  /** Runs one worker, which remembers all its leases, and therefore also uses stale ones. */
  async function work(seen: Seen, worker: string, steps: readonly Step[]): Promise<void> {
    const leases: Lease[] = [];
    for (const { kind, lease: place, count } of steps) {
      const some = leases.slice(-1 - place).slice(0, count);
      switch (kind) {
        case 'enqueue':
          await enqueue(seen, count);
          break;
        case 'claim':
          leases.push(...(await claim(seen, worker, count)));
          break;
        case 'beat':
          await jobs.extend(
            some.map((lease) => ({ ...lease, progress: null })),
            queues,
          );
          break;
        case 'complete':
          await settle(seen, some, { kind: 'completed' });
          break;
        case 'fail':
          await settle(seen, some.toReversed(), { kind: 'failed', isFinal: place === 5, retryAfterMs: null });
          break;
        case 'release':
          await settle(seen, some, { kind: 'released' });
          break;
        case 'settle again':
          await settle(seen, leases.slice(0, count), { kind: 'completed' });
          break;
        case 'crash':
          await sql(
            "UPDATE jobs SET lease_expires_at = now() - interval '1 hour' WHERE worker = $1 AND fence IS NOT NULL",
            [worker],
          );
          break;
        case 'reap':
          await hear();
          await jobs.reap();
          break;
        case 'promote':
          await makeDue();
          await jobs.promote();
          break;
        case 'cancel':
          await database.db.transaction(async (tx) => {
            await jobs.cancel(tx, [...seen.enqueued][place] ?? crypto.randomUUID(), { name: 'test', userId: null });
          });
      }
    }
  }

  /** Lets reliable workers finish all jobs, however many leases have to expire first. */
  async function drain(seen: Seen): Promise<void> {
    for (let round = 0; round < 40; round++) {
      await expireAll();
      // a round of the reaper may miss a lease that was not visible a moment before; those of the next seconds find it
      clock += 5_000;
      await hear();
      await jobs.reap();
      await makeDue();
      await jobs.promote();
      await jobs.floors.scan(queues);
      const leases = await claim(seen, 'good', 100);
      await settle(seen, leases, { kind: 'completed' });
      const [open] = await sql("SELECT FROM jobs WHERE state NOT IN ('succeeded', 'dead', 'cancelled') LIMIT 1");
      if (open === undefined) return;
    }
    expect.fail('some jobs never end');
  }

  // tests the lowest fence, so it must come before any other lease
  it('expire, even the first lease of a database', async () => {
    let clock = 0;
    const reap = reaping(
      database.db,
      { queued: ignore, scheduled: ignore, freed: ignore, expired: ignore },
      () => clock,
    );
    const seen: Seen = { enqueued: new Set(), fences: new Map(), completed: [], settlements: new Map() };
    await hear();
    await reap();
    // long enough for the reaper to count earlier fences as passed
    clock += 11_000;
    await reap();
    await enqueue(seen, 1);
    const [lease] = await claim(seen, 'worker', 1);
    expect(lease?.fence).to.equal('1');
    await expireAll();
    await hear();
    expect(await reap()).to.include({ expired: 1 });
  });

  it('are never settled twice and never lost, and their fences grow', async () => {
    const run = fc.asyncProperty(
      fc.array(fc.array(step, { minLength: 20, maxLength: 40 }), { minLength: 4, maxLength: 6 }),
      async (workers) => {
        await sql('TRUNCATE jobs, job_attempts, job_claims, outbox');
        const seen: Seen = { enqueued: new Set(), fences: new Map(), completed: [], settlements: new Map() };
        await enqueue(seen, 4);
        await Promise.all(workers.map(async (steps, index) => await work(seen, `worker ${index}`, steps)));
        await drain(seen);
        const rows = (await sql('SELECT id, state FROM jobs')) as unknown as { id: string; state: string }[];
        expect(new Set(rows.map(({ id }) => id))).to.deep.equal(seen.enqueued);
        const succeeded = rows.filter(({ state }) => state === 'succeeded').map(({ id }) => id);
        expect(seen.completed.toSorted()).to.deep.equal(succeeded.toSorted());
        for (const fences of seen.fences.values()) expect(fences).to.deep.equal(fences.toSorted((a, b) => a - b));
        // each ended lease has one attempt, and each settled job one event
        const [counts] = await sql(`
        SELECT (SELECT count(*) FROM job_attempts)::integer = (SELECT count(DISTINCT fence) FROM job_attempts)::integer AS once,
          (SELECT count(*) FROM outbox)::integer AS events, (SELECT count(DISTINCT aggregate_id) FROM outbox)::integer AS jobs`);
        expect(counts).to.deep.equal({ once: true, events: rows.length, jobs: rows.length });
      },
    );
    await fc.assert(run, { ...propertyRuns({ test: 4, drill: 200 }), endOnFailure: true });
  }).timeout(propertyTimeoutMs);
});
