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

describe('Leases of jobs', () => {
  let harness: JobsHarness;
  let client: JobClient;

  before(async () => (harness = await jobsHarness()));
  after(async () => await harness.stop());
  beforeEach(async () => (client = await harness.client()));

  const idsOf = (jobs: readonly { id: string }[]) => jobs.map(({ id }) => id);
  async function leased(body: Record<string, unknown> = {}, claim: Record<string, unknown> = {}): Promise<Claimed> {
    await client.enqueue(body);
    const [job] = await client.claim(claim);
    return job ?? expect.fail('nothing was leased');
  }
  /** Waits until `count` claims wait for the queue. */
  const waitingAre = async (count: number) =>
    await waitFor(() => harness.service.waiters.waiting().get(client.queue) === count, {
      what: `${count} claims that wait`,
    });

  /** Enqueues many jobs at once, and returns their ids. */
  async function enqueueMany(count: number, more: Record<string, unknown> = {}): Promise<string[]> {
    const jobs = Array.from({ length: count }, () => ({ queue: client.queue, kind: 'test', ...more }));
    const { body } = await client.call('enqueueJobs', { jobs });
    return idsOf((body as { data: { id: string }[] }).data);
  }

  describe('when claimed', () => {
    it('are refused for a queue of another client, with a limit or length out of range, and to a user', async () => {
      const claim = { claim_id: crypto.randomUUID(), queues: [client.queue, 'another'], worker: 'w' };
      expect(codeOf(await client.call('claimJobs', claim))).to.equal('forbidden');
      for (const bad of [
        { lease_seconds: 14 },
        { lease_seconds: 3_601 },
        { limit: 101 },
        { wait: 26 },
        { queues: [] },
      ]) {
        const answer = await client.call('claimJobs', { ...claim, queues: [client.queue], ...bad });
        expect([answer.status, (answer.body as ProblemBody).errors?.[0]?.field]).to.deep.equal([
          422,
          Object.keys(bad)[0],
        ]);
      }
      const admin = await harness.join('Ada', 'admin');
      const refused = await harness.call('claimJobs', {
        token: admin.token,
        body: { ...claim, queues: [client.queue] },
      });
      expect(refused.status).to.equal(403);
    });

    it('are given in the order of ranks: a step of priority is worth a minute', async () => {
      const [low, high, oldest] = [
        await client.enqueue(),
        await client.enqueue({ priority: 2 }),
        await client.enqueue(),
      ];
      await harness.age(oldest.id, 119);
      expect(idsOf(await client.claim())).to.deep.equal([high.id, oldest.id, low.id]);
    });

    it('are given to one of many workers, with growing fences', async () => {
      const ids = await enqueueMany(200);
      const claims = await Promise.all(Array.from({ length: 8 }, async () => await client.claim({ limit: 25 })));
      const jobs = claims.flat();
      jobs.push(...(await client.claim()));
      expect(idsOf(jobs).toSorted()).to.deep.equal(ids.toSorted());
      expect(new Set(jobs.map(({ fence }) => fence)).size).to.equal(200);
      expect((await leased()).fence).to.be.above(Math.max(...jobs.map(({ fence }) => fence)));
    });

    it('are the same for the same claim_id, even when it is sent twice at once', async () => {
      const ids = await enqueueMany(6);
      const claim = { claim_id: crypto.randomUUID(), limit: 3 };
      const [first, second] = await Promise.all([client.claim(claim), client.claim(claim)]);
      // whichever is recorded first, and they may have found the jobs in either order
      const given = idsOf(first);
      expect(given).to.have.length(3);
      const others = ids.filter((id) => !given.includes(id));
      expect(second.map(({ lease_token: token }) => token)).to.deep.equal(first.map(({ lease_token: token }) => token));
      await client.settle('complete', first[0]!);
      expect(idsOf(await client.claim(claim))).to.deep.equal(given.slice(1));
      const other = await harness.client({ queue: client.queue, clientId: 'another' });
      expect(idsOf(await other.claim(claim))).to.deep.equal(others);
    });

    it('are fewer than the limit rather than more than 4 MiB', async () => {
      const jobs = Array.from({ length: 60 }, () => ({
        queue: client.queue,
        kind: 'test',
        payload: 'x'.repeat(65_000),
      }));
      for (const batch of [jobs, jobs]) await client.call('enqueueJobs', { jobs: batch });
      const answer = await client.call('claimJobs', {
        claim_id: crypto.randomUUID(),
        queues: [client.queue],
        limit: 100,
        worker: 'w',
      });
      expect(Buffer.byteLength(JSON.stringify(answer.body))).to.be.within(4_000_000, 4 * 1024 * 1024);
      expect((await client.claim()).length + (answer.body as { data: unknown[] }).data.length).to.equal(120);
    });

    it('are given at once to a claim that waits, and never to one whose connection was closed', async () => {
      const waiting = client.claim({ wait: 20, limit: 1 });
      const gone = new AbortController();
      const lost = fetch(new URL('/api/v1/jobs/claim', harness.service.http.url()), {
        method: 'POST',
        headers: { authorization: `Bearer ${client.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ claim_id: crypto.randomUUID(), queues: [client.queue], wait: 20, worker: 'w' }),
        signal: gone.signal,
      }).catch(() => 'closed');
      await waitingAre(2);
      gone.abort();
      expect(await lost).to.equal('closed');
      await waitingAre(1);
      const startedAt = performance.now();
      const { id } = await client.enqueue();
      expect(idsOf(await waiting)).to.deep.equal([id]);
      expect(performance.now() - startedAt).to.be.below(2_000);
      const { id: next } = await client.enqueue();
      expect(idsOf(await client.claim())).to.deep.equal([next]);
    });

    it('are given without any hint, as for jobs that another process queued', async () => {
      const waiting = client.claim({ wait: 20 });
      await waitingAre(1);
      await harness.sql(
        `INSERT INTO jobs (queue, kind, payload, payload_bytes, state, priority, run_at, rank_at, max_attempts, created_by)
         VALUES ($1, 'test', '{}', 2, 'queued', 9, now(), now() - interval '540 seconds', 1, 'test')`,
        [client.queue],
      );
      const startedAt = performance.now();
      expect(await waiting).to.have.length(1);
      expect(performance.now() - startedAt).to.be.below(2_000);
    });

    it('are an empty list when the wait ends without a job', async () => {
      const startedAt = performance.now();
      expect(await client.claim({ wait: 0.3 })).to.deep.equal([]);
      expect(performance.now() - startedAt).to.be.within(290, 2_000);
    });
  });

  describe('with heartbeats', () => {
    it('last for their length from now, and keep the latest progress', async () => {
      const job = await leased({}, { lease_seconds: 60 });
      await harness.age(job.id, 50);
      const body = { leases: [{ lease_token: job.lease_token, progress: { done: 7 } }] };
      const answer = await client.call('heartbeatJobs', body);
      const [extension] = (answer.body as { data: { lease_ms: number }[] }).data;
      expect(extension).to.include({ outcome: 'extended', cancel_requested: false });
      expect(extension?.lease_ms).to.be.within(59_000, 60_000);
      expect((await client.read(job.id)).progress).to.deep.equal({ done: 7 });
      await client.beat(job);
      expect((await client.read(job.id)).progress).to.deep.equal({ done: 7 });
    });

    it('are extended individually, and lost ones are named', async () => {
      const [ended, live] = [await leased(), await leased()];
      await client.settle('release', ended);
      const outcomes = (await client.beat(live, ended)).map(({ outcome }) => outcome);
      expect(outcomes).to.deep.equal(['extended', 'lease_lost']);
      const other = await harness.client();
      expect((await other.beat(live))[0]?.outcome).to.equal('lease_lost');
    });
  });

  describe('when settled', () => {
    it('end once: the same settlement gets the first response, and another one 409, even after the job has another worker', async () => {
      const job = await leased();
      expect(await client.settle('fail', job, { retry_after: 0 })).to.deep.equal([200, 'scheduled']);
      await harness.service.promoter.tick();
      const [next] = await client.claim();
      expect(next).to.include({ id: job.id, attempt: 2 });
      expect(await client.settle('fail', job)).to.deep.equal([200, 'scheduled']);
      expect(await client.settle('complete', job)).to.deep.equal([409, 'lease_lost']);
      expect(await client.settle('complete', next!)).to.deep.equal([200, 'succeeded']);
      const race = await leased();
      const answers = await Promise.all([1, 2, 3].map(async () => await client.settle('complete', race)));
      expect(answers).to.deep.equal(answers.map(() => [200, 'succeeded']));
      const attempts = await harness.sql('SELECT fence FROM job_attempts WHERE job_id = $1', [race.id]);
      expect(attempts).to.have.length(1);
    });

    it('lead to a retry with back-off after a failure, until the attempts are used up', async () => {
      let job = await leased({ max_attempts: 2 });
      await client.settle('fail', job);
      const waiting = await client.read(job.id);
      expect(waiting).to.deep.include({
        state: 'scheduled',
        attempts: 1,
        error: { code: 'broken', message: 'It broke.' },
      });
      expect(Date.parse(waiting.run_at) - Date.now()).to.be.within(-1_000, 5_000);
      await harness.age(job.id, 10);
      await harness.service.promoter.tick();
      [job] = (await client.claim()) as [Claimed];
      expect(job.attempt).to.equal(2);
      expect(await client.settle('fail', job)).to.deep.equal([200, 'dead']);
      expect(await client.read(job.id)).to.include({ state: 'dead', attempts: 2, reason: 'attempts_exhausted' });
    });

    it('leave a dead job after a final failure, and a retry after the delay that the worker names', async () => {
      const [final, later] = [await leased(), await leased()];
      expect(await client.settle('fail', final, { final: true })).to.deep.equal([200, 'dead']);
      expect((await client.read(final.id)).reason).to.equal('final');
      await client.settle('fail', later, { retry_after: 600 });
      expect(Date.parse((await client.read(later.id)).run_at) - Date.now()).to.be.within(590_000, 601_000);
    });

    it('return the job to the queue when released, without using up an attempt', async () => {
      const job = await leased({ max_attempts: 1 });
      expect(await client.settle('release', job)).to.deep.equal([200, 'queued']);
      const [again] = await client.claim();
      expect(again).to.include({ id: job.id, attempt: 1 });
      expect(await client.read(job.id)).to.include({ attempts: 0 });
    });

    it('are settled in a batch, each with its own outcome', async () => {
      await enqueueMany(4);
      const [one, two, three, lost] = (await client.claim()) as [Claimed, Claimed, Claimed, Claimed];
      await client.settle('release', lost);
      const items = [
        { lease_token: one.lease_token, complete: { result: 1 } },
        { lease_token: two.lease_token, fail: { code: 'x', message: 'y', final: true } },
        { lease_token: lost.lease_token, complete: {} },
        { lease_token: three.lease_token, release: true },
      ];
      const answer = await client.call('settleJobs', { items });
      const { data } = answer.body as { data: { outcome: string; state?: string }[] };
      expect(data.map(({ outcome, state }) => state ?? outcome)).to.deep.equal([
        'succeeded',
        'dead',
        'lease_lost',
        'queued',
      ]);
      expect((await client.call('settleJobs', { items: [items[0], items[0]] })).status).to.equal(422);
    });

    it('never deadlock with a batch in another order, and settle each job once', async () => {
      const ids = await enqueueMany(100);
      const jobs = await client.claim();
      const items = jobs.map(({ lease_token }) => ({ lease_token, complete: {} }));
      const leases = jobs.map(({ lease_token }) => ({ lease_token }));
      const answers = await Promise.all([
        ...[items, items.toReversed()].flatMap((list) =>
          [1, 2].map(async () => await client.call('settleJobs', { items: list })),
        ),
        ...[leases, leases.toReversed()].flatMap((list) =>
          [1, 2].map(async () => await client.call('heartbeatJobs', { leases: list })),
        ),
      ]);
      expect(answers.map(({ status }) => status)).to.deep.equal(answers.map(() => 200));
      const rows = await harness.sql('SELECT FROM job_attempts WHERE job_id = ANY ($1::uuid[])', [ids]);
      expect(rows).to.have.length(100);
    });

    it('are refused with 422 when the path names another job', async () => {
      const [job, other] = [await leased(), await leased()];
      const answer = await client.call('completeJob', { lease_token: job.lease_token }, { params: { id: other.id } });
      expect([answer.status, (answer.body as ProblemBody).errors?.[0]?.field]).to.deep.equal([422, 'lease_token']);
    });
  });
});
