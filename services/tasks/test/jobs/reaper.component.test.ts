import { expect } from 'chai';
import { waitFor } from '@taskwire/testing';
import { reaping } from '../../src/postgres/jobs/reap.ts';
import { jobsHarness, type Claimed, type JobClient, type JobsHarness } from '../support/jobs-harness.ts';

describe('The reaper of leases', () => {
  let harness: JobsHarness;
  let client: JobClient;

  before(async () => (harness = await jobsHarness()));
  after(async () => await harness.stop());
  beforeEach(async () => {
    await harness.sql("UPDATE jobs SET state = 'cancelled', fence = NULL, settled_at = now() WHERE state = 'leased'");
    client = await harness.client();
    await harness.hear();
  });

  async function leased(body: Record<string, unknown> = {}): Promise<Claimed> {
    await client.enqueue(body);
    const [job] = await client.claim();
    return job ?? expect.fail('nothing was leased');
  }
  /** Changes the lease so that it expired this number of seconds ago. */
  const expire = async ({ id }: { id: string }, seconds = 1) =>
    await harness.sql(
      'UPDATE jobs SET lease_expires_at = clock_timestamp() - make_interval(secs => $2) WHERE id = $1',
      [id, seconds],
    );
  const silence = async (seconds: number, table: 'job_contact' | 'job_reaper' = 'job_contact') =>
    await harness.sql(
      `UPDATE ${table} SET ${table === 'job_contact' ? 'heard_at' : 'ticked_at'} = clock_timestamp() - make_interval(secs => $1)`,
      [seconds],
    );
  const tick = async () => await harness.service.reaper.tick();
  const stateOf = async ({ id }: { id: string }) => (await client.read(id)).state;

  it('queues a job whose confirmed lease has expired, at once for the first crash; its worker gets 409', async () => {
    const job = await leased();
    await client.beat(job);
    await tick();
    expect(await stateOf(job)).to.equal('leased');
    await expire(job);
    await tick();
    expect(await client.read(job.id)).to.deep.include({ state: 'queued', attempts: 1 });
    expect(await client.settle('complete', job)).to.deep.equal([409, 'lease_lost']);
    expect((await client.beat(job))[0]?.outcome).to.equal('lease_lost');
    expect((await client.claim())[0]).to.include({ id: job.id, attempt: 2 });
  });

  it('returns a job above the floor of another process, which gives it at once', async () => {
    const other = await harness.replica({ PROCESS_ROLE: 'api' });
    const { id } = await client.enqueue();
    await harness.age(id, 3_600);
    const [job] = await client.claim();
    // raises the floor of the process that serves claims
    await client.claim({ wait: 0.5 });
    await expire(job!);
    await harness.hear();
    await other.reaper.tick();
    expect(await client.claim()).to.have.length(1);
  });

  it('accepts a late settlement that arrives before its round', async () => {
    const job = await leased();
    await expire(job, 20);
    expect(await client.settle('complete', job)).to.deep.equal([200, 'succeeded']);
    await tick();
    expect(await stateOf(job)).to.equal('succeeded');
  });

  it('lets a job wait after its second crash, and ends it as poison after the third', async () => {
    let job = await leased();
    for (const state of ['queued', 'scheduled', 'dead']) {
      await client.beat(job);
      await expire(job);
      await harness.hear();
      await tick();
      expect(await stateOf(job)).to.equal(state);
      if (state === 'dead') break;
      await harness.sql('UPDATE jobs SET run_at = now() WHERE id = $1', [job.id]);
      await harness.service.promoter.tick();
      [job] = (await client.claim()) as [Claimed];
    }
    expect(await client.read(job.id)).to.deep.include({ attempts: 3, reason: 'poison' });
  });

  it('counts a lease without any heartbeat neither as attempt nor as crash, ten times', async () => {
    let job = await leased({ max_attempts: 1 });
    for (let time = 1; time <= 10; time++) {
      await expire(job);
      await harness.hear();
      await tick();
      const { state, attempts } = await client.read(job.id);
      expect([state, attempts]).to.deep.equal([time < 10 ? 'queued' : 'dead', 0]);
      if (time < 10) [job] = (await client.claim()) as [Claimed];
    }
    expect((await client.read(job.id)).reason).to.equal('undelivered');
  });

  it('ends nothing while no worker sends heartbeats, then gives each lease one period', async () => {
    const jobs = [await leased(), await leased()] as const;
    for (const job of jobs) await client.beat(job);
    for (const job of jobs) await expire(job, 20);
    await silence(6);
    await tick();
    expect(await stateOf(jobs[0])).to.equal('leased');
    // one worker is back; the other has one period to return
    await client.beat(jobs[0]);
    await harness.hear();
    await harness.sql('UPDATE job_reaper SET is_outage = true');
    await tick();
    await tick();
    expect(await stateOf(jobs[1])).to.equal('leased');
    await expire(jobs[1]);
    await tick();
    expect([await stateOf(jobs[0]), await stateOf(jobs[1])]).to.deep.equal(['leased', 'queued']);
  });

  it('gives a lease no second period without a heartbeat, however often workers are silent', async () => {
    const job = await leased();
    await client.beat(job);
    for (let round = 0; round < 3; round++) {
      await silence(6);
      await tick();
      await harness.hear();
      await harness.sql('UPDATE job_reaper SET is_outage = true');
      if (round > 0) await expire(job);
      await tick();
    }
    expect(await stateOf(job)).to.equal('queued');
  });

  it('ends the lease of a lone worker that stays silent after another lease period', async () => {
    const job = await leased();
    await client.beat(job);
    await silence(30);
    await expire(job, 29);
    await tick();
    expect(await stateOf(job)).to.equal('leased');
    await expire(job, 30);
    await tick();
    expect(await stateOf(job)).to.equal('queued');
  });

  it('holds leases after a pause of its own', async () => {
    const job = await leased();
    await expire(job);
    await silence(6, 'job_reaper');
    await tick();
    expect(await stateOf(job)).to.equal('leased');
    await tick();
    expect(await stateOf(job)).to.equal('leased');
  });

  for (const [which, others] of [
    ['which are looked up', 0],
    ['which are too many to be looked up', 300],
  ] as const) {
    it(`ends and extends leases from long before, ${which}`, async () => {
      const ignore = () => undefined;
      const hints = { queued: ignore, scheduled: ignore, freed: ignore, expired: ignore };
      let clock = 0;
      const reap = reaping(harness.service.db, hints, () => clock);
      const round = async (passedMs: number) => {
        clock += passedMs;
        await harness.hear();
        return await reap();
      };
      const old = [await leased(), await leased()] as const;
      for (let left = others; left > 0; left -= 100) {
        const job = { queue: client.queue, kind: 'test' };
        await client.call('enqueueJobs', { jobs: Array.from({ length: 100 }, () => job) });
        expect(await client.claim({ lease_seconds: 3_600 })).to.have.length(100);
      }
      // fences count as passed after ten seconds
      for (let time = 0; time < 4; time++) expect(await round(11_000)).to.include({ expired: 0 });
      const recent = await leased();
      await expire(old[0]);
      await expire(recent);
      expect(await round(1_000)).to.include({ expired: 2 });
      expect([await stateOf(old[0]), await stateOf(old[1])]).to.deep.equal(['queued', 'leased']);
      await harness.sql('UPDATE job_reaper SET is_outage = true');
      await expire(old[1]);
      clock += 1_000;
      expect(await reap()).to.include({ expired: 0 });
      const [extended] = await harness.sql<{ graced: boolean }>('SELECT had_grace AS graced FROM jobs WHERE id = $1', [
        old[1].id,
      ]);
      expect(extended).to.deep.equal({ graced: true });
      await expire(old[1]);
      expect(await round(11_000)).to.include({ expired: 1 });
    });
  }

  it('takes every claim and heartbeat as a sign of life', async () => {
    const job = await leased();
    await expire(job);
    await silence(60);
    // each process records a sign of life at most once a second
    await waitFor(async () => {
      await client.claim();
      const [row] = await harness.sql<{ isHeard: boolean }>(
        `SELECT heard_at > clock_timestamp() - interval '3 seconds' AS "isHeard" FROM job_contact`,
      );
      return row?.isHeard === true;
    });
    await tick();
    expect(await stateOf(job)).to.equal('queued');
  });
});
