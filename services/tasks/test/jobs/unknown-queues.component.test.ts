import { expect } from 'chai';
import type { Answer } from '../support/api.ts';
import { jobsHarness, type JobsHarness, type ProblemBody } from '../support/jobs-harness.ts';
import type { Person } from '../support/tasks-harness.ts';

const job = (queue: string) => ({ queue, kind: 'test' });
const daily = (queue: string) => ({
  ...{ kind: 'cron', expression: '0 7 * * *' },
  target: { kind: 'job', job: job(queue) },
});
const create = (queue: string) => ({ op: 'create', body: { title: 'Print', kind: 'job', job: job(queue) } });

describe('A queue that no registered client has', () => {
  let harness: JobsHarness;
  let manager: Person;
  let ann: Person;

  before(async () => {
    harness = await jobsHarness();
    manager = await harness.join('Mona', 'manager');
    ann = await harness.join('Ann', 'member');
    harness.auth.queues.add('reports');
  });
  after(async () => await harness.stop());

  const ask = async (operation: Parameters<JobsHarness['call']>[0], body: unknown, more: object = {}) =>
    await harness.call(operation, { token: manager.token, body, ...more });
  const codes = (body: unknown) => {
    const { code, errors = [] } = body as ProblemBody;
    return [code, ...errors.map((error) => `${error.field} ${error.code}`)];
  };
  const seen = ({ status, body }: Answer) => [status, ...codes(body)];
  const count = async (from: string) => (await harness.sql<{ id: string }>(`SELECT id FROM ${from}`)).length;

  it('is refused wherever a user names it, with the field, and nothing of the request is stored', async () => {
    const { body: schedule } = await ask('createSchedule', daily('reports'));
    const { id, version } = schedule as { id: string; version: number };
    const change = { params: { id }, headers: { 'if-match': `"${version}"` } };
    const operations = [{ op: 'create', body: { title: 'Paint' } }, create('reports'), create('report')];
    // all at once, because they share the requests to Auth
    const [separate, ...answers] = await Promise.all([
      ask('bulkTasks', { operations }),
      ask('bulkTasks', { atomic: true, operations }),
      ask('enqueueJob', job('report')),
      ask('enqueueJobs', { jobs: [job('reports'), job('report'), job('mail')] }),
      ask('createTask', { title: 'Print', kind: 'job', job: job('report') }),
      ask('createSchedule', daily('report')),
      ask('changeSchedule', { target: daily('report').target }, change),
    ]);
    expect(answers.map(seen)).to.deep.equal([
      [422, 'bulk_aborted', 'operations.2.body.job.queue unknown_queue'],
      [422, 'unknown_queue', 'queue unknown_queue'],
      [422, 'unknown_queue', 'jobs.1.queue unknown_queue'],
      [422, 'unknown_queue', 'job.queue unknown_queue'],
      [422, 'unknown_queue', 'target.job.queue unknown_queue'],
      [422, 'unknown_queue', 'target.job.queue unknown_queue'],
    ]);
    const remedy = /register a worker for it: .*client add .*--queue report$/;
    expect(answers[1]).to.have.nested.property('body.detail').that.matches(remedy);
    // a bulk request that is not atomic loses one operation
    const [painted, printed, refused] = (separate.body as { data: { status: number; problem: ProblemBody }[] }).data;
    expect([painted?.status, printed?.status]).to.deep.equal([201, 201]);
    expect(codes(refused?.problem)).to.deep.equal(['unknown_queue', 'job.queue unknown_queue']);
    expect([await count('tasks'), await count('jobs'), await count('schedules')]).to.deep.equal([2, 1, 1]);
    const { body: unchanged } = await harness.call('getSchedule', { token: manager.token, params: { id } });
    expect(unchanged).to.deep.equal(schedule);
  });

  it('gets no limits, but loses those that it has', async () => {
    const admin = await harness.join('Ada', 'admin');
    const limit = async (body: object) =>
      await harness.call('setJobLimit', { token: admin.token, params: { queue: 'report', key: '*' }, body });
    for (const limits of [
      { max_running: 1, rate: null },
      { max_running: null, rate: { n: 1, per: 1 } },
    ])
      expect(seen(await limit(limits))).to.deep.equal([422, 'unknown_queue', 'queue unknown_queue']);
    expect((await limit({ max_running: null, rate: null })).status).to.equal(200);
  });

  it('is accepted at once when a client was registered for it, and refused again once the client was removed', async () => {
    const once = { headers: { 'idempotency-key': 'fresh-1' } };
    harness.auth.queues.add('fresh');
    const accepted = await ask('enqueueJob', job('fresh'), once);
    expect(accepted.status).to.equal(201);
    harness.auth.queues.delete('fresh');
    // another name has the list read again
    expect((await ask('enqueueJob', job('report'))).status).to.equal(422);
    const [refused, repeated] = await Promise.all([
      ask('enqueueJob', job('fresh')),
      // a repeated key gets its response, whatever has changed
      ask('enqueueJob', job('fresh'), once),
    ]);
    expect(seen(refused)).to.include('unknown_queue');
    expect([repeated.status, repeated.body]).to.deep.equal([201, accepted.body]);
  });

  it('is refused to a member and to a client for what they are, without a look at the queue', async () => {
    const body = { title: 'Print', kind: 'job', job: job('report') };
    const client = await harness.client();
    const answers = await Promise.all([
      harness.call('createTask', { token: ann.token, body }),
      harness.call('createSchedule', { token: ann.token, body: daily('report') }),
      client.call('enqueueJob', job('report')),
    ]);
    expect(answers.map(({ status }) => status)).to.deep.equal([403, 403, 403]);
    // the queue of this client is not among those that Auth lists, but in its token
    await client.enqueue();
  });

  it('is accepted while Auth fails', async () => {
    harness.auth.outage = 503;
    try {
      expect((await ask('enqueueJob', job('report'))).status).to.equal(201);
    } finally {
      harness.auth.outage = undefined;
    }
  });
});
