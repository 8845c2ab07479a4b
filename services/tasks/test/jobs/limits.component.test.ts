import { expect } from 'chai';
import { waitFor } from '@taskwire/testing';
import { codeOf } from '../support/api.ts';
import {
  jobsHarness,
  type Claimed,
  type JobClient,
  type JobsHarness,
  type ProblemBody,
} from '../support/jobs-harness.ts';
import type { Person } from '../support/tasks-harness.ts';

describe('Limits of jobs with a concurrency key', () => {
  let harness: JobsHarness;
  let client: JobClient;
  let admin: Person;

  before(async () => {
    harness = await jobsHarness();
    admin = await harness.join('Ada', 'admin');
  });
  after(async () => await harness.stop());
  beforeEach(async () => (client = await harness.client()));

  const limit = async (key: string, body: object, token = admin.token) =>
    await harness.call('setJobLimit', { token, params: { queue: client.queue, key: encodeURIComponent(key) }, body });
  async function enqueue(key: string | undefined, count: number): Promise<void> {
    const job = { queue: client.queue, kind: key ?? 'plain', ...(key === undefined ? {} : { concurrency_key: key }) };
    for (let left = count; left > 0; left -= 1_000) {
      const jobs = Array.from({ length: Math.min(left, 1_000) }, () => job);
      expect((await client.call('enqueueJobs', { jobs })).status).to.equal(200);
    }
  }
  const only = (maxRunning: number | null, rate: { n: number; per: number } | null = null) => ({
    max_running: maxRunning,
    rate,
  });

  it('are set, shown and removed by admins', async () => {
    const manager = await harness.join('Mona', 'manager');
    expect((await limit('a/b c', only(3), manager.token)).status).to.equal(403);
    expect((await limit('a/b c', only(3, { n: 5, per: 60 }))).body).to.deep.equal({
      key: 'a/b c',
      ...only(3, { n: 5, per: 60 }),
    });
    await limit('*', only(7));
    const list = async () =>
      (await harness.call('listJobLimits', { token: manager.token, params: { queue: client.queue } })).body;
    expect(await list()).to.deep.equal({
      data: [
        { key: '*', ...only(7) },
        { key: 'a/b c', ...only(3, { n: 5, per: 60 }) },
      ],
    });
    await limit('*', only(null));
    await limit('a/b c', only(null));
    expect(await list()).to.deep.equal({ data: [] });
    const bad = await limit('a', only(0));
    expect([bad.status, codeOf(bad), (bad.body as ProblemBody).errors?.[0]?.field]).to.deep.equal([
      422,
      'invalid_input',
      'max_running',
    ]);
  });

  it('are optional: without them, every key runs, in turn', async () => {
    for (const key of ['a', 'b', 'c']) await enqueue(key, 4);
    const jobs = await client.claim();
    expect(jobs).to.have.length(12);
    expect(await client.claim()).to.deep.equal([]);
    for (const job of jobs.slice(0, 3)) expect(await client.settle('complete', job)).to.deep.equal([200, 'succeeded']);
  });

  it('serve the least recently served key first, whether it has limits or not', async () => {
    await limit('b', only(5));
    for (const key of ['a', 'b', 'c'])
      for (let made = 0; made < 3; made++) await client.enqueue({ concurrency_key: key, kind: key });
    const kinds: string[] = [];
    const claimOne = async () => kinds.push(...(await client.claim({ limit: 1 })).map(({ kind }) => kind));
    for (let time = 0; time < 4; time++) await claimOne();
    await client.enqueue({ concurrency_key: 'd', kind: 'd' });
    for (let time = 0; time < 4; time++) await claimOne();
    expect(kinds).to.deep.equal(['a', 'b', 'c', 'a', 'd', 'b', 'c', 'a']);
  });

  it('come from the key itself, and from * for each other key', async () => {
    await limit('*', only(2));
    await limit('big', only(5));
    for (const key of ['big', 'one', 'two']) await enqueue(key, 10);
    await enqueue(undefined, 3);
    expect(await client.claim()).to.have.length(5 + 2 + 2 + 3);
    expect(await client.claim()).to.deep.equal([]);
    await limit('one', only(4));
    expect(await client.claim()).to.have.length(2);
  });

  it('allow a claim of jobs with and without keys to be repeated', async () => {
    await enqueue('a', 3);
    await enqueue(undefined, 3);
    const claim = { claim_id: crypto.randomUUID() };
    for (let time = 0; time < 3; time++) {
      const tokens = (await client.claim(claim)).map(({ lease_token: token }) => token);
      expect(new Set(tokens).size).to.equal(6);
    }
    expect(await client.claim()).to.deep.equal([]);
  });

  it('lease nothing twice for a claim that is sent twice at once', async () => {
    await enqueue('a', 6);
    const claim = { claim_id: crypto.randomUUID(), limit: 3 };
    const { pool } = harness.database.db;
    const other = await pool.connect();
    const claims: Promise<Claimed[]>[] = [];
    try {
      // both have leased their jobs when they wait for this record of the claim
      await other.query('BEGIN');
      await other.query("INSERT INTO job_claims VALUES ('worker', $1, '{}', '{}', now())", [claim.claim_id]);
      claims.push(client.claim(claim), client.claim(claim));
      const waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
      await waitFor(async () => (await harness.sql(waiting)).length === 2, { what: 'both claims' });
    } finally {
      await other.query('ROLLBACK');
      other.release();
    }
    const [first, second] = await Promise.all(claims);
    expect(first).to.have.length(3);
    expect(second?.map(({ lease_token: token }) => token)).to.deep.equal(first?.map(({ lease_token: token }) => token));
    expect(await client.claim()).to.have.length(3);
  });

  it('give a free place to a job with a key although jobs without a key fill every claim, whichever process ends a job', async () => {
    await limit('slow', only(1));
    await enqueue('slow', 5);
    const [running] = await client.claim({ limit: 1 });
    const ended = [running!];
    await enqueue(undefined, 1_000);
    const replica = await harness.replica({ PROCESS_ROLE: 'api' });
    const elsewhere = await harness.client({ queue: client.queue, url: replica.http.url() });
    for (const settling of [client, elsewhere]) {
      // this process has seen that the key is saturated
      for (let time = 0; time < 10; time++) await client.claim({ limit: 1 });
      expect(await settling.settle('complete', ended.at(-1)!)).to.deep.equal([200, 'succeeded']);
      const [next] = await waitFor(async () => {
        const jobs = await client.claim({ limit: 1 });
        return jobs.some(({ kind }) => kind === 'slow') && jobs;
      });
      ended.push(next!);
    }
    expect(new Set(ended.map(({ id }) => id)).size).to.equal(3);
  });

  it('of a rate admit the allowance of one period at once, and later jobs at even intervals', async () => {
    await limit('mail', only(null, { n: 4, per: 3_600 }));
    await enqueue('mail', 20);
    expect(await client.claim()).to.have.length(4);
    expect(await client.claim()).to.have.length(0);
    await harness.sql("UPDATE job_keys SET full_at = full_at - interval '1000 seconds' WHERE queue = $1", [
      client.queue,
    ]);
    expect(await client.claim()).to.have.length(1);
    await harness.sql("UPDATE job_keys SET full_at = full_at - interval '10 hours' WHERE queue = $1", [client.queue]);
    expect(await client.claim()).to.have.length(4);
  });

  it('leave the jobs of other keys unaffected by the backlog of a saturated one', async () => {
    await limit('slow', only(1));
    await enqueue('slow', 3_000);
    const [first] = await client.claim({ limit: 1 });
    await enqueue('quick', 5);
    await enqueue(undefined, 5);
    const claimed: Claimed[] = [];
    while (claimed.length < 10) {
      const jobs = await client.claim({ limit: 2 });
      if (jobs.length === 0) break;
      claimed.push(...jobs);
    }
    expect(claimed).to.have.length(10);
    expect(await client.claim()).to.deep.equal([]);
    await client.settle('release', first!);
    expect(await client.claim({ wait: 2 })).to.have.length(1);
  });
});
