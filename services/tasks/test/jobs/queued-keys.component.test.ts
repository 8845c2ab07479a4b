import { expect } from 'chai';
import { waitFor } from '@taskwire/testing';
import { runClaim, type ClaimState } from '../../src/postgres/jobs/claim.ts';
import { createFloors } from '../../src/postgres/jobs/floors.ts';
import { createJobStore } from '../../src/postgres/jobs/job-store.ts';
import { createQueuedKeys } from '../../src/postgres/jobs/queued-keys.ts';
import { countedDatabase } from '../support/buffers.ts';
import { jobsHarness, type Claimed, type JobClient, type JobsHarness } from '../support/jobs-harness.ts';

describe('The keys that a process knows', () => {
  let harness: JobsHarness;
  let client: JobClient;
  before(async () => (harness = await jobsHarness()));
  after(async () => await harness.stop());
  beforeEach(async () => (client = await harness.client()));

  /** Queues jobs as another process does: this one gets no hint. `late` is how long ago their ranks are, in seconds. */
  async function queueElsewhere(keys: readonly string[], late = 0): Promise<void> {
    await harness.sql(
      `INSERT INTO jobs (queue, kind, payload, payload_bytes, state, priority, run_at, rank_at, max_attempts, created_by, concurrency_key)
       SELECT $1, key, '{}', 2, 'queued', 0, clock_timestamp(), clock_timestamp() - make_interval(secs => $3), 20, 'test', key
       FROM unnest($2::text[]) AS key`,
      [client.queue, keys, late],
    );
  }

  /** Sets limits that have been there for so long that counts of running jobs start at floors. */
  async function limit(maxRunning: number): Promise<void> {
    await harness.sql(
      `INSERT INTO job_limits (queue, key, max_running, updated_by, updated_at) VALUES ($1, '*', $2, 'test', now() - interval '1 hour')`,
      [client.queue, maxRunning],
    );
  }

  const claimKinds = async (body: Record<string, unknown> = {}) => (await client.claim(body)).map(({ kind }) => kind);
  const named = (prefix: string, count: number) =>
    Array.from({ length: count }, (_, place) => `${prefix}${String(place).padStart(5, '0')}`);

  it('include those of jobs that another process queued just now', async () => {
    expect(await client.claim()).to.deep.equal([]);
    for (const key of ['a', 'b', 'a', 'c']) {
      await queueElsewhere([key]);
      expect(await claimKinds()).to.deep.equal([key]);
    }
  });

  it('include those of jobs that another process queued late, with ranks of a second or ten minutes ago', async () => {
    await queueElsewhere(['a', 'a']);
    expect(await claimKinds()).to.deep.equal(['a', 'a']);
    for (const seconds of [1, 600]) {
      // one key is known, and the other one is new
      await queueElsewhere(['a'], 0);
      await queueElsewhere(['a', `late by ${seconds}`], seconds);
      const kinds: string[] = [];
      await waitFor(async () => {
        kinds.push(...(await claimKinds()));
        return kinds.length === 3;
      });
      expect(kinds).to.have.members(['a', 'a', `late by ${seconds}`]);
    }
  });

  it('include those of jobs that are committed up to two seconds late, before the next scan of all keys', async () => {
    let clock = 0;
    const keys = createQueuedKeys(harness.database.db.pool, () => clock);
    await keys.ready([client.queue]);
    await queueElsewhere(['a'], 1);
    clock = 600;
    await keys.ready([client.queue]);
    await waitFor(() => keys.has(client.queue));
    expect(keys.begin(client.queue).keys.map(({ key }) => key)).to.deep.equal(['a']);
  });

  it('get their turns, however many there are, each with its oldest job first', async () => {
    const keys = named('key ', 1_700);
    // longer ago than a read of new jobs looks back
    await queueElsewhere(keys, 600);
    await client.enqueue({ concurrency_key: 'key 01600', kind: 'new' });
    const kinds: string[] = [];
    while (kinds.length <= keys.length) {
      const claimed = await claimKinds({ limit: 100 });
      expect(claimed, 'a claim while jobs are left').not.to.deep.equal([]);
      kinds.push(...claimed);
    }
    expect(kinds).to.have.members([...keys, 'new']);
    expect(kinds.indexOf('new')).to.be.above(kinds.indexOf('key 01600'));
    expect(await client.claim()).to.deep.equal([]);
  });

  it('get their turns although other keys are added faster than jobs are claimed', async () => {
    const old = named('old ', 3_000);
    await queueElsewhere(old, 600);
    const keys = createQueuedKeys(harness.database.db.pool);
    const waiting = new Set(old);
    let added = 0;
    await waitFor(async () => {
      await keys.ready([client.queue]);
      for (let round = 0; round < 5; round++) {
        const jobs = named(`new ${added} `, 200).map((key) => ({ key, rankAt: '2026-11-02T08:00:00.000000Z' }));
        keys.note(client.queue, jobs);
        added += jobs.length;
        const claim = keys.begin(client.queue);
        const found = claim.keys.map((key) => ({ ...key, floor: null, leased: 1 }));
        claim.learn(found);
        claim.end();
        for (const { key } of found) waiting.delete(key);
      }
      return waiting.size === 0;
    });
  });

  it('include the one that becomes free among thousands that are saturated', async () => {
    await limit(1);
    const saturated = named('key ', 1_700);
    await queueElsewhere([...saturated, ...saturated], 600);
    const running: Claimed[] = [];
    while (running.length < saturated.length) running.push(...(await client.claim({ limit: 100 })));
    expect(running.map(({ kind }) => kind)).to.have.members(saturated);
    for (const kind of ['key 00850', 'key 00000', 'key 01699']) {
      const ended = running.find((job) => job.kind === kind)!;
      expect(await client.settle('complete', ended)).to.deep.equal([200, 'succeeded']);
      const kinds = await waitFor(async () => {
        const claimed = await claimKinds({ limit: 1 });
        return claimed.length > 0 && claimed;
      });
      expect(kinds).to.deep.equal([kind]);
    }
  });

  it('include those of jobs behind thousands with the same rank', async () => {
    await limit(1);
    await harness.sql(
      `INSERT INTO jobs (queue, kind, payload, payload_bytes, state, priority, run_at, rank_at, max_attempts, created_by, concurrency_key)
       SELECT $1, 'same', '{}', 2, 'queued', 0, now(), now(), 20, 'test', 'same' FROM generate_series(1, 3000)`,
      [client.queue],
    );
    let clock = 0;
    const keys = createQueuedKeys(harness.database.db.pool, () => clock);
    await keys.ready([client.queue]);
    await queueElsewhere(['behind']);
    await waitFor(async () => {
      await keys.readNew([client.queue]);
      const isAbove = 'SELECT $2::timestamptz > min(rank_at) AS above FROM jobs WHERE queue = $1';
      const values = [client.queue, ...keys.unreadFrom([client.queue])];
      return (await harness.sql<{ above: boolean }>(isAbove, values))[0]?.above;
    });
    clock = 1_100;
    await keys.ready([client.queue]);
    await waitFor(() => keys.begin(client.queue).keys.length === 2);
  });

  it('keep the rank of a job that was queued while a claim found no other job of its key', async () => {
    const keys = createQueuedKeys(harness.database.db.pool);
    await keys.ready([client.queue]);
    const [early, late, later] = ['01', '02', '03'].map((hour) => `2026-11-02T${hour}:00:00.000000Z`) as [
      string,
      string,
      string,
    ];
    keys.note(client.queue, [{ key: 'a', rankAt: early }]);
    const floors = () => keys.begin(client.queue).keys.map(({ floor }) => floor);
    const found = { key: 'a', fences: [], counted: '0', leased: 1 };
    for (const [floor, expected] of [
      [null, late],
      [later, late],
      [early, early],
    ] as const) {
      const [first, second] = [keys.begin(client.queue), keys.begin(client.queue)];
      keys.note(client.queue, [{ key: 'a', rankAt: late }]);
      first.learn([{ ...found, floor }]);
      first.end();
      expect(floors()).to.deep.equal([expected]);
      second.learn([{ ...found, floor }]);
      second.end();
      expect(floors()).to.deep.equal([expected]);
    }
    const last = keys.begin(client.queue);
    last.learn([{ ...found, floor: null }]);
    expect(floors()).to.deep.equal([]);
  });

  it('include that of a job that another transaction had locked during a claim', async () => {
    await client.enqueue({ concurrency_key: 'a', priority: 9 });
    const other = await harness.database.db.pool.connect();
    try {
      await other.query('BEGIN');
      await other.query('SELECT FROM jobs WHERE queue = $1 FOR NO KEY UPDATE', [client.queue]);
      expect(await client.claim()).to.deep.equal([]);
      expect(harness.service.jobs.keys.has(client.queue)).to.equal(true);
    } finally {
      await other.query('ROLLBACK');
      other.release();
    }
    expect(await client.claim()).to.have.length(1);
  });

  it('are found in a few pages although the statistics are of a time without such jobs', async () => {
    await harness.sql('TRUNCATE jobs, job_attempts');
    await harness.sql(
      `INSERT INTO jobs (queue, kind, payload, payload_bytes, state, priority, run_at, rank_at, max_attempts, created_by, settled_at)
       SELECT 'quiet', 'test', '{}', 2, 'succeeded', 0, now(), now(), 20, 'test', now() FROM generate_series(1, 5000)`,
    );
    const counted = await countedDatabase(harness.database.url);
    try {
      const { pool } = harness.database.db;
      // these read through other connections, so their scans are not counted
      const process = { floors: createFloors(pool), keys: createQueuedKeys(pool) };
      const state: ClaimState = { ...process, saturated: new Map(), now: () => 0, random: () => 1 };
      const claim = { clientId: 'worker', limit: 2, leaseMs: 30_000, worker: 'w1' };
      const claimFrom = async (queue: string) =>
        await runClaim(counted.db, { ...claim, queues: [queue], claimId: crypto.randomUUID() }, state);
      await limit(10);
      const idle = await harness.client();
      await harness.sql('ANALYZE jobs');
      // PostgreSQL keeps its plans after a few calls
      for (let time = 0; time < 10; time++) {
        await queueElsewhere(['a', 'b', 'c']);
        for (const queue of [client.queue, idle.queue]) await claimFrom(queue);
      }
      await queueElsewhere(Array.from({ length: 20_000 }, (_, place) => ['a', 'b', 'c'][place % 3]!));
      for (const queue of [client.queue, idle.queue]) {
        await claimFrom(queue);
        const buffers = await counted.buffersOf(async () => await claimFrom(queue));
        expect(buffers, queue).to.be.below(250);
      }
    } finally {
      await counted.db.close();
    }
  });

  it('let a claim that is full wake another one that waits, until all keys are saturated', async () => {
    await limit(3);
    await queueElsewhere(Array.from({ length: 5 }, () => 'a'));
    const freed: unknown[] = [];
    const ignore = () => undefined;
    const hints = {
      ...{ queued: ignore, scheduled: ignore, expired: ignore },
      freed: (...hint: unknown[]) => freed.push(hint),
    };
    const jobs = createJobStore(harness.service.db, harness.service.jobs, hints, () => 0);
    const claim = { clientId: 'worker', queues: [client.queue], limit: 1, leaseMs: 30_000, worker: 'w1' };
    const claimOne = async () => (await jobs.claim({ ...claim, claimId: crypto.randomUUID() })).length;
    for (const count of [1, 1, 1, 0, 0]) expect(await claimOne()).to.equal(count);
    expect(freed).to.deep.equal([1, 2, 3].map(() => [client.queue, 1]));
  });

  it('count all running jobs after a failover to a standby that had fewer leases', async () => {
    await limit(2);
    await queueElsewhere(Array.from({ length: 8 }, () => 'a'));
    await harness.sql("SELECT setval('job_fences', last_value + 5000) FROM job_fences");
    for (const job of await client.claim())
      expect(await client.settle('complete', job)).to.deep.equal([200, 'succeeded']);
    await harness.sql("SELECT setval('job_fences', last_value - 4000) FROM job_fences");
    expect(await client.claim()).to.have.length(2);
    expect(await client.claim()).to.deep.equal([]);
  });

  it('count a running job, however many leases were given since', async () => {
    await limit(2);
    await queueElsewhere(Array.from({ length: 12 }, () => 'a'));
    const [long] = await client.claim({ limit: 1 });
    for (let round = 0; round < 5; round++) {
      // as if other queues had leased jobs
      await harness.sql("SELECT setval('job_fences', last_value + 700) FROM job_fences");
      const [short, ...others] = await client.claim();
      expect(others).to.deep.equal([]);
      expect(await client.claim()).to.deep.equal([]);
      expect(await client.settle('complete', short!)).to.deep.equal([200, 'succeeded']);
    }
    expect(await client.settle('complete', long!)).to.deep.equal([200, 'succeeded']);
    expect(await client.claim()).to.have.length(2);
    expect(await client.claim()).to.deep.equal([]);
  });

  it('count the jobs that were leased before there was a limit', async () => {
    await queueElsewhere(Array.from({ length: 5 }, () => 'a'));
    const [first, second] = await client.claim({ limit: 2 });
    const admin = await harness.join('Ada', 'admin');
    const params = { queue: client.queue, key: 'a' };
    await harness.call('setJobLimit', { token: admin.token, params, body: { max_running: 2, rate: null } });
    expect(await client.claim()).to.deep.equal([]);
    for (const lease of [first, second]) {
      expect(await client.settle('complete', lease!)).to.deep.equal([200, 'succeeded']);
      expect(await client.claim()).to.have.length(1);
      expect(await client.claim()).to.deep.equal([]);
    }
  });

  it('count a job that a claim leases which began before there was a limit', async () => {
    await queueElsewhere(['a', 'a', 'a']);
    const other = await harness.database.db.pool.connect();
    let lease: { job_id: string } | undefined;
    try {
      await other.query('BEGIN');
      const keys = [{ key: 'a', floor: '-infinity', fences: [], counted: 0 }];
      const given = [client.queue, JSON.stringify(keys)];
      const claim =
        "SELECT job_id FROM lease_jobs_of_keys($1, $2, 1, 1000000, 0, 'worker', 'w1', 3600000) WHERE job_id IS NOT NULL";
      [lease] = (await other.query<{ job_id: string }>(claim, given)).rows;
      const admin = await harness.join('Ada', 'admin');
      const params = { queue: client.queue, key: 'a' };
      await harness.call('setJobLimit', { token: admin.token, params, body: { max_running: 1, rate: null } });
      const [second] = await client.claim();
      await other.query('COMMIT');
      expect(await client.settle('complete', second!)).to.deep.equal([200, 'succeeded']);
    } finally {
      other.release(true);
    }
    expect((await client.read(lease!.job_id)).state).to.equal('leased');
    expect(await client.claim()).to.deep.equal([]);
  });

  it('count jobs that other processes lease, for a limit that several processes enforce', async () => {
    await limit(3);
    await queueElsewhere(Array.from({ length: 30 }, () => 'a'));
    const replica = await harness.replica({ PROCESS_ROLE: 'api' });
    const elsewhere = await harness.client({ queue: client.queue, url: replica.http.url() });
    const running = await client.claim({ limit: 1 });
    for (let round = 0; round < 8; round++) {
      const [one, other] = round % 2 === 0 ? [client, elsewhere] : [elsewhere, client];
      await harness.sql("SELECT setval('job_fences', last_value + 400) FROM job_fences");
      running.push(...(await one.claim({ limit: 1 })), ...(await other.claim()));
      expect(running).to.have.length(3);
      expect([...(await client.claim()), ...(await elsewhere.claim())]).to.deep.equal([]);
      const ended = running.splice(round % 3, 2);
      for (const job of ended) expect(await one.settle('complete', job)).to.deep.equal([200, 'succeeded']);
    }
  });
});
