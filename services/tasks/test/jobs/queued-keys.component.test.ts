import { expect } from 'chai';
import { waitFor } from '@taskwire/testing';
import { createQueuedKeys } from '../../src/postgres/jobs/queued-keys.ts';
import { jobsHarness, type JobClient, type JobsHarness } from '../support/jobs-harness.ts';

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
    expect(keys.next(client.queue).map(({ key }) => key)).to.deep.equal(['a']);
  });

  it('get their turns, however many there are', async () => {
    const keys = named('key ', 1_700);
    await queueElsewhere(keys);
    const kinds: string[] = [];
    while (kinds.length < keys.length) {
      const claimed = await claimKinds({ limit: 100 });
      expect(claimed, 'a claim while jobs are left').not.to.deep.equal([]);
      kinds.push(...claimed);
    }
    expect(kinds).to.have.members(keys);
    expect(await client.claim()).to.deep.equal([]);
  });

  it('include the one with a free place among thousands that are saturated', async () => {
    await limit(1);
    const saturated = named('key ', 1_700);
    await queueElsewhere([...saturated, ...saturated]);
    const running: string[] = [];
    while (running.length < saturated.length) running.push(...(await claimKinds({ limit: 100 })));
    expect(running).to.have.members(saturated);
    await queueElsewhere(['key 00850 is free', 'key 01700 is free']);
    const kinds: string[] = [];
    await waitFor(async () => {
      kinds.push(...(await claimKinds({ limit: 1 })));
      return kinds.length === 2;
    });
    expect(kinds).to.have.members(['key 00850 is free', 'key 01700 is free']);
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
