import { expect } from 'chai';
import type { Person } from '../support/tasks-harness.ts';
import { codeOf } from '../support/api.ts';
import {
  jobsHarness,
  type JobClient,
  type JobsHarness,
  type ProblemBody,
  type Receipt,
} from '../support/jobs-harness.ts';

describe('Enqueuing jobs', () => {
  let harness: JobsHarness;
  let manager: Person;
  let client: JobClient;

  before(async () => {
    harness = await jobsHarness();
    manager = await harness.join('Mona', 'manager');
  });
  after(async () => await harness.stop());
  beforeEach(async () => (client = await harness.client()));

  const idsOf = (jobs: { id: string }[]) => jobs.map(({ id }) => id);
  async function faultOf(body: Record<string, unknown>): Promise<string> {
    const answer = await client.call('enqueueJob', { queue: client.queue, kind: 'test', ...body });
    expect([answer.status, codeOf(answer)]).to.deep.equal([422, 'invalid_input']);
    return (answer.body as ProblemBody).errors?.[0]?.field ?? '';
  }

  it('leads through a claim to completion, with the payload and the result unchanged', async () => {
    const payload = { text: 'Größe \u{1f44b} \u0000', list: [1, 2.5, null], deep: { a: {} } };
    const receipt = await client.enqueue({ payload });
    expect(receipt).to.deep.include({ queue: client.queue, kind: 'test', state: 'queued', is_existing: false });
    const [job] = await client.claim();
    expect(job).to.deep.include({ id: receipt.id, kind: 'test', payload, attempt: 1, deadline: null });
    expect(job?.lease_ms).to.be.within(29_000, 30_000);
    expect(await client.read(receipt.id)).to.include({ state: 'leased', attempts: 0 });
    expect(await client.settle('complete', job!, { result: { rows: 3 } })).to.deep.equal([200, 'succeeded']);
    const ended = await client.read(receipt.id);
    expect(ended).to.deep.include({ state: 'succeeded', attempts: 1, result: { rows: 3 }, reason: null });
    expect(ended.settled_at).to.be.a('string');
    expect(await client.claim()).to.deep.equal([]);
  });

  it('is open to managers, admins and clients with jobs:enqueue, for the queues of the client only', async () => {
    const body = { queue: client.queue, kind: 'test' };
    const admin = await harness.join('Ada', 'admin');
    for (const { token } of [manager, admin])
      expect((await harness.call('enqueueJob', { token, body })).status).to.equal(201);
    const { token } = await harness.join('Ann', 'member');
    expect(codeOf(await harness.call('enqueueJob', { token, body }))).to.equal('forbidden');
    const other = await client.call('enqueueJob', { ...body, queue: 'another' });
    expect([other.status, codeOf(other)]).to.deep.equal([403, 'forbidden']);
    const batch = await client.call('enqueueJobs', { jobs: [body, { ...body, queue: 'another' }] });
    expect([batch.status, codeOf(batch)]).to.deep.equal([403, 'forbidden']);
    const worker = await harness.client({ queue: client.queue, scope: 'jobs:work' });
    expect(codeOf(await worker.call('enqueueJob', body))).to.equal('insufficient_scope');
    expect(await client.claim()).to.have.length(2);
  });

  it('hides jobs of other queues from a client, as if they did not exist', async () => {
    const { id } = await client.enqueue();
    const other = await harness.client();
    const answer = await other.call('getJob', undefined, { params: { id } });
    expect([answer.status, codeOf(answer)]).to.deep.equal([404, 'not_found']);
    expect((await harness.call('getJob', { token: manager.token, params: { id } })).status).to.equal(200);
  });

  it('names the field of bad input', async () => {
    expect(await faultOf({ payload: 'x'.repeat(64 * 1024 - 1) })).to.equal('payload');
    expect((await client.enqueue({ payload: 'x'.repeat(64 * 1024 - 2) })).state).to.equal('queued');
    expect(await faultOf({ queue: 'Not a queue' })).to.equal('queue');
    expect(await faultOf({ priority: 10 })).to.equal('priority');
    expect(await faultOf({ max_attempts: 0 })).to.equal('max_attempts');
    expect(await faultOf({ run_at: 'tomorrow' })).to.equal('run_at');
    expect(await faultOf({ unique: { key: 'a', until: 'window', window: 'P1M' } })).to.equal('unique.window');
    const late = { run_at: '2040-01-01T10:00:00Z', deadline: '2040-01-01T10:59:59+01:00' };
    expect(await faultOf(late)).to.equal('deadline');
    expect((await client.enqueue({ ...late, deadline: '2040-01-01T11:00:00+01:00' })).state).to.equal('scheduled');
    expect(await faultOf({ after: [crypto.randomUUID()] })).to.equal('after.0');
    expect(await faultOf({ after: Array.from({ length: 101 }, () => crypto.randomUUID()) })).to.equal('after');
  });

  it('stores a batch of 1,000 in the order of the request, all or none', async () => {
    const jobs = Array.from({ length: 1_000 }, (_, index) => ({
      queue: client.queue,
      kind: 'test',
      payload: { index },
    }));
    const { body } = await client.call('enqueueJobs', { jobs });
    const receipts = (body as { data: Receipt[] }).data;
    expect(receipts).to.have.length(1_000);
    expect(idsOf(receipts)).to.deep.equal(idsOf(receipts).toSorted());
    expect((await client.claim()).map(({ payload }) => (payload as { index: number }).index)).to.deep.equal([
      ...Array(100).keys(),
    ]);
    const bad = [...jobs.slice(0, 5), { queue: client.queue, kind: 'test', after: [crypto.randomUUID()] }];
    const refused = await client.call('enqueueJobs', { jobs: bad });
    expect((refused.body as ProblemBody).errors?.[0]?.field).to.equal('jobs.5.after.0');
    const single = await client.call('enqueueJobs', { jobs: bad.slice(-1) });
    expect((single.body as ProblemBody).errors?.[0]?.field).to.equal('jobs.0.after.0');
    const [count] = await harness.sql<{ count: number }>('SELECT count(*)::integer FROM jobs WHERE queue = $1', [
      client.queue,
    ]);
    expect(count?.count).to.equal(1_000);
    expect((await client.call('enqueueJobs', { jobs: [...jobs, jobs[0]] })).status).to.equal(422);
  });

  it('rejects a batch above 4 MiB with 413', async () => {
    const jobs = Array.from({ length: 70 }, () => ({ queue: client.queue, kind: 'test', payload: 'x'.repeat(60_000) }));
    const answer = await client.call('enqueueJobs', { jobs });
    expect([answer.status, codeOf(answer)]).to.deep.equal([413, 'payload_too_large']);
  });

  it('repeats the first response for the same Idempotency-Key, separately for each caller', async () => {
    const body = { queue: client.queue, kind: 'test' };
    const headers = { 'idempotency-key': 'one' };
    const first = await client.call('enqueueJob', body, { headers });
    const again = await client.call('enqueueJob', body, { headers });
    expect([again.status, again.body]).to.deep.equal([201, first.body]);
    expect(again.headers.get('idempotency-replayed')).to.equal('true');
    expect(codeOf(await client.call('enqueueJob', { ...body, kind: 'other' }, { headers }))).to.equal(
      'idempotency_key_reused',
    );
    const other = await harness.client({ queue: client.queue, clientId: 'another' });
    const own = await other.call('enqueueJob', body, { headers });
    expect((own.body as Receipt).id).not.to.equal((first.body as Receipt).id);
  });

  describe('with a unique key', () => {
    const unique = { key: 'report 7', until: 'settled' };

    it('returns the job that holds the key until it is settled', async () => {
      const first = await client.enqueue({ unique });
      expect(await client.enqueue({ unique })).to.deep.include({ id: first.id, is_existing: true });
      const [job] = await client.claim();
      expect(await client.enqueue({ unique })).to.deep.include({ id: first.id, state: 'leased' });
      await client.settle('complete', job!);
      expect(await client.enqueue({ unique })).to.deep.include({ state: 'queued', is_existing: false });
    });

    it('rejects another job with 409 if its policy says so, and stores nothing of its batch', async () => {
      await client.enqueue({ unique });
      const job = { queue: client.queue, kind: 'test' };
      const answer = await client.call('enqueueJobs', {
        jobs: [job, { ...job, unique: { ...unique, on_conflict: 'reject' } }],
      });
      expect([answer.status, codeOf(answer)]).to.deep.equal([409, 'job_exists']);
      expect(answer.body).to.have.nested.property('errors[0].field', 'jobs.1.unique.key');
      expect(await client.claim()).to.have.length(1);
    });

    it('names no job that is not stored when two jobs of a batch have one key', async () => {
      const one = { queue: client.queue, kind: 'test', unique: { ...unique, on_conflict: 'reject' } };
      const answer = await client.call('enqueueJobs', { jobs: [one, one] });
      expect([answer.status, codeOf(answer)]).to.deep.equal([409, 'job_exists']);
      expect(answer.body)
        .to.have.property('detail')
        .that.matches(/^Another job of this request .* unique key "report 7"/);
    });

    it('holds the key for the length of its window, even after the job is settled', async () => {
      const windowed = { key: 'hourly', until: 'window', window: 'PT1H' };
      const first = await client.enqueue({ unique: windowed });
      const [job] = await client.claim();
      await client.settle('complete', job!);
      expect(await client.enqueue({ unique: windowed })).to.deep.include({
        id: first.id,
        state: 'succeeded',
        is_existing: true,
      });
      await harness.age(first.id, 3_600);
      expect(await client.enqueue({ unique: windowed })).to.deep.include({ state: 'queued', is_existing: false });
    });

    it('stores only one of many that are enqueued at once, while that job is settled repeatedly', async () => {
      const seen = new Set<string>();
      const settling = (async () => {
        for (let round = 0; round < 30; round++) {
          for (const job of await client.claim()) await client.settle('complete', job);
        }
      })();
      for (let round = 0; round < 10; round++) {
        const receipts = await Promise.all(Array.from({ length: 8 }, async () => await client.enqueue({ unique })));
        for (const { id } of receipts) seen.add(id);
        const [held] = await harness.sql<{ count: number }>(
          `SELECT count(*)::integer FROM jobs WHERE queue = $1 AND state IN ('queued', 'leased')`,
          [client.queue],
        );
        expect(held?.count).to.be.at.most(1);
      }
      await settling;
      const [stored] = await harness.sql<{ count: number }>('SELECT count(*)::integer FROM jobs WHERE queue = $1', [
        client.queue,
      ]);
      expect(stored?.count).to.equal(seen.size);
    });

    it('never deadlocks with a batch of the same keys in another order', async () => {
      const jobs = Array.from({ length: 50 }, (_, index) => ({
        queue: client.queue,
        kind: 'test',
        unique: { key: `${index}`, until: 'settled' },
      }));
      const answers = await Promise.all(
        [jobs, jobs.toReversed(), jobs, jobs.toReversed()].map(
          async (list) => await client.call('enqueueJobs', { jobs: list }),
        ),
      );
      expect(answers.map(({ status }) => status)).to.deep.equal([200, 200, 200, 200]);
      expect(await client.claim()).to.have.length(50);
    });
  });
});
