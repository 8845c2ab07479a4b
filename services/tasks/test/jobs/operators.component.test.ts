import { events } from '@taskwire/contracts';
import { expect } from 'chai';
import { codeOf } from '../support/api.ts';
import { jobsHarness, type Job, type JobClient, type JobsHarness } from '../support/jobs-harness.ts';
import { createProject } from '../support/projects.ts';
import type { Person } from '../support/tasks-harness.ts';

describe('Operators of jobs', () => {
  let harness: JobsHarness;
  let client: JobClient;
  let admin: Person;
  let manager: Person;

  before(async () => {
    harness = await jobsHarness();
    admin = await harness.join('Ada', 'admin');
    manager = await harness.join('Mona', 'manager');
  });
  after(async () => await harness.stop());
  beforeEach(async () => (client = await harness.client()));

  const ask = async (person: Person, ...[operation, given]: Parameters<JobsHarness['call']>) =>
    await harness.call(operation, { token: person.token, ...given });
  const cancel = async (id: string) => await ask(manager, 'cancelJob', { params: { id } });
  const auditOf = async (id: string) =>
    await harness.sql<object>('SELECT action, actor, reason FROM job_audit WHERE job_id = $1 ORDER BY id', [id]);
  async function dead(count = 1): Promise<string[]> {
    for (let made = 0; made < count; made++) await client.enqueue();
    const leases = await client.claim();
    for (const lease of leases) await client.settle('fail', lease, { final: true });
    return leases.map(({ id }) => id);
  }
  /** Returns the unpublished events about a job, checked against the contract. */
  async function eventsOf(id: string): Promise<unknown[]> {
    const rows = await harness.sql<{ type: keyof typeof events; payload: object }>(
      'SELECT type, payload FROM outbox WHERE aggregate_id = $1 ORDER BY id',
      [id],
    );
    return rows.map(({ type, payload }) => {
      const { queue, kind, reason, actor } = events[type].strict().parse(payload) as Record<string, unknown>;
      expect([queue, kind]).to.deep.equal([client.queue, 'test']);
      return [type, reason, actor];
    });
  }

  it('cancel a job without a worker at once, and again without effect, but no job that ended in another way', async () => {
    const jobs = [await client.enqueue(), await client.enqueue({ run_at: '2100-01-01T00:00:00Z' })];
    for (const { id } of jobs) {
      const answer = await cancel(id);
      expect(answer.body).to.deep.include({ state: 'cancelled', reason: 'requested' });
      expect((await cancel(id)).body).to.deep.equal(answer.body);
      expect(await auditOf(id)).to.deep.equal([{ action: 'cancel', actor: `user:${manager.id}`, reason: null }]);
      expect(await eventsOf(id)).to.deep.equal([['tasks.job.cancelled', 'requested', manager.id]]);
    }
    expect(await client.claim()).to.deep.equal([]);
    const [id = ''] = await dead();
    expect(codeOf(await cancel(id))).to.equal('conflict');
    expect(codeOf(await cancel(crypto.randomUUID()))).to.equal('not_found');
  });

  it('request the cancellation of a leased job by its heartbeat; whichever settles first wins', async () => {
    for (const [verb, state] of [
      ['complete', 'succeeded'],
      ['fail', 'cancelled'],
      ['release', 'cancelled'],
    ] as const) {
      const { id } = await client.enqueue();
      const [lease] = await client.claim();
      expect((await client.call('cancelJob', undefined, { params: { id } })).body).to.include({
        state: 'leased',
        cancel_requested: true,
      });
      expect((await client.beat(lease!))[0]).to.include({ cancel_requested: true });
      expect(await client.settle(verb, lease!)).to.deep.equal([200, state]);
      expect(await auditOf(id)).to.deep.include({ action: 'cancel', actor: 'client:worker', reason: null });
    }
  });

  it('cancel a job once under one key, also as a service that reads no task of the project of its job', async () => {
    const { id: project_id } = await createProject(harness, manager);
    const body = { title: 'Print', project_id, kind: 'job', job: { queue: client.queue, kind: 'test' } };
    const created = await ask(manager, 'createTask', { body });
    const { id } = (created.body as { job: { id: string } }).job;
    const call = { params: { id }, headers: { 'idempotency-key': crypto.randomUUID() } };
    const first = await client.call('cancelJob', undefined, call);
    const again = await client.call('cancelJob', undefined, call);
    expect([again.status, again.body]).to.deep.equal([200, first.body]);
    expect(again.headers.get('idempotency-replayed')).to.equal('true');
    expect(await auditOf(id)).to.have.length(1);
  });

  it('list jobs by state, queue and kind, in pages', async () => {
    const ids = await dead(3);
    await client.enqueue();
    const list = async (query: Record<string, string>) => {
      const { body } = await ask(manager, 'listJobs', { query: { queue: client.queue, ...query } });
      return body as { data: Job[]; next_cursor: string | null };
    };
    const first = await list({ state: 'dead', limit: '2' });
    const second = await list({ state: 'dead', limit: '2', cursor: first.next_cursor ?? '' });
    expect([...first.data, ...second.data].map(({ id }) => id)).to.deep.equal(ids.toReversed());
    expect(second.next_cursor).to.equal(null);
    expect((await list({})).data).to.have.length(4);
    expect((await list({ kind: 'other' })).data).to.deep.equal([]);
    const ann = await harness.join('Ann', 'member');
    expect((await ask(ann, 'listJobs', {})).status).to.equal(403);
  });

  it('replay a dead job with all its attempts, with a reason, audited', async () => {
    const [id = ''] = await dead();
    const replay = async (person: Person) =>
      await ask(person, 'replayJob', { params: { id }, body: { reason: 'The printer is back.' } });
    expect((await replay(manager)).status).to.equal(403);
    const answer = await replay(admin);
    expect(answer.body).to.deep.include({ state: 'queued', attempts: 0, reason: null, settled_at: null });
    expect(codeOf(await replay(admin))).to.equal('conflict');
    const [lease] = await client.claim();
    expect(lease).to.include({ id, attempt: 1 });
    await client.settle('complete', lease!);
    expect(await auditOf(id)).to.deep.equal([
      { action: 'replay', actor: `user:${admin.id}`, reason: 'The printer is back.' },
    ]);
    expect(await eventsOf(id)).to.deep.equal([
      ['tasks.job.dead', 'final', null],
      ['tasks.job.succeeded', null, null],
    ]);
  });

  it('replay and drop many by a filter, oldest first', async () => {
    const ids = await dead(5);
    const filter = { queue: client.queue, reason: 'final' };
    const some = await ask(admin, 'replayJobs', { body: { filter, reason: 'again', limit: 2 } });
    expect(some.body).to.deep.equal({ replayed: 2, more: true });
    expect((await client.claim()).map(({ id }) => id)).to.deep.equal(ids.slice(0, 2));
    const dropped = await ask(admin, 'dropJobs', { body: { filter, reason: 'obsolete', limit: 1_000 } });
    expect(dropped.body).to.deep.equal({ dropped: 3, more: false });
    expect(await client.read(ids[4] ?? '')).to.include({ state: 'cancelled', reason: 'dropped' });
    expect(await auditOf(ids[4] ?? '')).to.deep.equal([
      { action: 'drop', actor: `user:${admin.id}`, reason: 'obsolete' },
    ]);
    expect((await ask(admin, 'dropJobs', { body: { filter } })).status).to.equal(422);
    const early = await harness.auth.userToken(admin, { loggedInAgo: 600 });
    const refused = await harness.call('dropJobs', { token: early, body: { filter, reason: 'obsolete' } });
    expect(codeOf(refused)).to.equal('reauthentication_required');
  });

  it('get metrics of each queue: its depth, the age of its first job, and its leased and dead jobs', async () => {
    await dead();
    const oldest = await client.enqueue();
    await client.enqueue({ priority: 1 });
    await client.enqueue();
    await client.claim({ limit: 1 });
    await harness.age(oldest.id, 100);
    // jobs with a concurrency key are counted with the others
    const [keyed, mixed] = [await harness.client(), await harness.client()];
    for (const key of ['a', 'b', 'c', 'd']) await keyed.enqueue({ concurrency_key: key });
    await harness.age((await keyed.enqueue({ concurrency_key: 'd', priority: 1 })).id, 80);
    await harness.age((await mixed.enqueue()).id, 60);
    await mixed.enqueue({ concurrency_key: 'a' });

    const lines = (await harness.service.telemetry.metrics.metrics()).split('\n');
    const valueOf = (name: string) =>
      Number(
        lines
          .find((line) => line.startsWith(name))
          ?.split(' ')
          .at(-1),
      );
    const [queued, oldestQueued] = [
      ({ queue }: JobClient) => valueOf(`jobs{queue="${queue}",state="queued"`),
      ({ queue }: JobClient) => valueOf(`jobs_oldest_queued_seconds{queue="${queue}"`),
    ];
    expect([client, keyed, mixed].map(queued)).to.deep.equal([2, 5, 2]);
    expect(oldestQueued(client)).to.be.within(99, 200);
    expect(oldestQueued(keyed)).to.be.within(79, 180);
    expect(oldestQueued(mixed)).to.be.within(59, 160);
    expect(valueOf(`jobs{queue="${client.queue}",state="leased"`)).to.equal(1);
    expect(valueOf(`jobs{queue="${client.queue}",state="dead"`)).to.equal(1);
  });
});
