import { expect } from 'chai';
import { bringing, followJob, unfinished } from '../../src/domain/job-task.ts';
import type { Task } from '../support/api.ts';
import { codeOf } from '../support/api.ts';
import { jobTaskTools } from '../support/job-tasks.ts';
import { jobsHarness, type JobClient, type JobsHarness, type ProblemBody } from '../support/jobs-harness.ts';
import type { Person } from '../support/tasks-harness.ts';

describe('A task of kind job', () => {
  let harness: JobsHarness;
  let client: JobClient;
  let admin: Person;
  let manager: Person;
  let ann: Person;
  let tools: ReturnType<typeof jobTaskTools>;

  before(async () => {
    harness = await jobsHarness();
    admin = await harness.join('Ada', 'admin');
    manager = await harness.join('Mona', 'manager');
    ann = await harness.join('Ann', 'member');
    tools = jobTaskTools(harness, manager);
  });
  after(async () => await harness.stop());
  beforeEach(async () => (client = await harness.client()));

  const job = () => ({ queue: client.queue, kind: 'test' });
  const lease = async () => (await client.claim({ limit: 1 }))[0]!;

  it('follows its job in the database as the rule says', async () => {
    for (const from of unfinished)
      for (const jobState of bringing) {
        const task = await tools.create(client);
        await harness.sql('UPDATE tasks SET state = $2 WHERE id = $1', [task.id, from]);
        await harness.sql('SELECT follow_jobs(ARRAY[$1::uuid], ARRAY[$2], $3, $4)', [task.id, jobState, ann.id, '{}']);
        const { set, log, events } = followJob({ state: from }, jobState);
        expect(await tools.states(task)).to.equal(`${set.state ?? from}/queued`);
        const activity = (await harness.activity(manager, task)).slice(1);
        expect(
          activity.map(({ action, field, from: old, to, reason }) => ({ action, field, from: old, to, reason })),
        ).to.deep.equal(log);
        const types = events.map(({ type }) => type.replace('tasks.task.', ''));
        expect((await tools.history(task)).events.slice(2)).to.deep.equal(types);
      }
  });

  describe('when it is created', () => {
    it('is a draft without an assignee that shows its job, and the job names the task', async () => {
      const task = await tools.create(client, { payload: { a: 1 }, priority: 3 });
      expect(task).to.include({ state: 'draft', kind: 'job', assignee_id: null, version: 1, creator_id: manager.id });
      const shown = { id: task.job.id, ...job(), state: 'queued', reason: null, progress: null };
      expect(task.job).to.deep.equal(shown);
      expect(await harness.read(ann, task)).to.deep.equal(task);
      expect(await client.read(task.job.id)).to.deep.include({ task_id: task.id, payload: { a: 1 }, priority: 3 });
      await tools.expectChanges(task);
      const { body } = await harness.call('listTasks', { token: ann.token, query: { state: 'draft', limit: '1' } });
      expect((body as { data: Task[] }).data[0]).to.deep.equal(task);
      expect(await harness.createTask(ann)).to.include({ kind: 'task', job: null });
    });

    it('is created once for an Idempotency-Key, with one job', async () => {
      const headers = { 'idempotency-key': crypto.randomUUID() };
      const body = { kind: 'job', job: job() };
      const [first, second] = [await tools.post(body, { headers }), await tools.post(body, { headers })];
      expect(second.body).to.deep.equal(first.body);
      expect(await client.claim()).to.have.length(1);
    });

    it('is refused to members, and stores nothing', async () => {
      const answer = await tools.post({ kind: 'job', job: job() }, { token: ann.token });
      expect([answer.status, codeOf(answer)]).to.deep.equal([403, 'forbidden']);
      expect(await client.claim()).to.deep.equal([]);
    });

    it('needs a job and no assignee, and an ordinary task has no job', async () => {
      const bad: [Record<string, unknown>, string][] = [
        [{ kind: 'job' }, 'job'],
        [{ job: job() }, 'job'],
        [{ kind: 'job', job: job(), assignee_id: ann.id }, 'kind'],
        [{ kind: 'job', job: job(), assign: 'random' }, 'kind'],
        [{ kind: 'job', job: { ...job(), priority: 10 } }, 'job.priority'],
        [{ kind: 'job', job: { ...job(), after: [crypto.randomUUID()] } }, 'job.after.0'],
        [{ kind: 'robot' }, 'kind'],
      ];
      for (const [body, field] of bad) {
        const answer = await tools.post(body);
        expect([answer.status, (answer.body as ProblemBody).errors?.[0]?.field], field).to.deep.equal([422, field]);
      }
      expect(await client.claim()).to.deep.equal([]);
    });

    it('owns its job: a unique key that another job has is refused', async () => {
      const unique = { key: 'once', until: 'settled' };
      await client.enqueue({ unique });
      const answer = await tools.post({ kind: 'job', job: { ...job(), unique } });
      expect([answer.status, codeOf(answer)]).to.deep.equal([409, 'job_exists']);
      const [row] = await harness.sql<{ count: number }>(
        'SELECT count(*)::integer AS count FROM tasks WHERE NOT EXISTS (SELECT FROM jobs WHERE jobs.id = tasks.job_id) AND job_id IS NOT NULL',
      );
      expect(row).to.deep.equal({ count: 0 });
    });
  });

  describe('whose job runs', () => {
    it('is in progress from the first lease on, through retries, and completed with the job', async () => {
      const task = await tools.create(client, { max_attempts: 3 });
      const first = await lease();
      expect(await tools.states(task)).to.equal('in_progress/leased');
      const body = { leases: [{ lease_token: first.lease_token, progress: { done: 3 } }] };
      await client.call('heartbeatJobs', body);
      const shown = await harness.read(ann, task);
      expect(shown).to.include({ state: 'in_progress', version: 2, assignee_id: null });
      expect(shown.job).to.deep.include({ state: 'leased', progress: { done: 3 } });
      await client.settle('fail', first);
      expect(await tools.states(task)).to.equal('in_progress/scheduled');
      await harness.age(task.job.id, 60);
      await harness.service.promoter.tick();
      expect(await tools.states(task)).to.equal('in_progress/queued');
      await client.settle('release', await lease());
      await client.settle('complete', await lease(), { result: { pages: 2 } });
      expect(await tools.states(task)).to.equal('completed/succeeded');
      await tools.expectChanges(task, 'started', 'completed');
      const log = await harness.activity(manager, task);
      expect(log.slice(1).map(({ actor, from, to, reason }) => [actor, from, to, reason])).to.deep.equal([
        [null, 'draft', 'in_progress', 'a worker started its job'],
        [null, 'in_progress', 'completed', 'its job succeeded'],
      ]);
    });

    it('starts with a job that has a concurrency key, and in one claim with others', async () => {
      const tasks = [];
      for (const key of ['a', 'b', undefined, 'a']) tasks.push(await tools.create(client, { concurrency_key: key }));
      await client.enqueue();
      const leases = await client.claim();
      expect(leases).to.have.length(5);
      const body = { items: leases.map(({ lease_token }) => ({ lease_token, complete: {} })) };
      await client.call('settleJobs', body);
      for (const task of tasks) await tools.expectChanges(task, 'started', 'completed');
    });

    it('stays in progress and shows the dead job, and continues when the job is replayed', async () => {
      const task = await tools.create(client);
      await client.settle('fail', await lease(), { final: true });
      expect((await harness.read(ann, task)).job).to.include({ state: 'dead', reason: 'final' });
      expect(await tools.states(task)).to.equal('in_progress/dead');
      const replay = { token: admin.token, params: { id: task.job.id }, body: { reason: 'a test' } };
      expect((await harness.call('replayJob', replay)).status).to.equal(200);
      expect(await tools.states(task)).to.equal('in_progress/queued');
      await client.settle('complete', await lease());
      await tools.expectChanges(task, 'started', 'completed');
    });

    it('stays in progress when its worker crashes, until the job is dead', async () => {
      const task = await tools.create(client);
      for (let crash = 1; crash <= 3; crash++) {
        await client.beat(await lease());
        await harness.age(task.job.id, 60);
        await harness.hear();
        await harness.service.reaper.tick();
        expect(await tools.states(task)).to.match(/^in_progress\/(queued|scheduled|dead)$/);
        await harness.sql("UPDATE jobs SET run_at = now() WHERE id = $1 AND state = 'scheduled'", [task.job.id]);
        await harness.service.promoter.tick();
        // the rank of a job that goes back to its queue may be below the floor
        await harness.service.jobs.floors.scan([client.queue]);
      }
      expect(await tools.states(task)).to.equal('in_progress/dead');
      await tools.expectChanges(task, 'started');
    });

    it('stays a draft when the job dies before its start', async () => {
      const task = await tools.create(client, { deadline: new Date(Date.now() + 60_000).toISOString() });
      await harness.age(task.job.id, 120);
      await harness.service.promoter.tick();
      expect(await tools.states(task)).to.equal('draft/dead');
      await tools.expectChanges(task);
    });

    it('cannot be started, completed or assigned by hand, by anyone', async () => {
      const task = await tools.create(client);
      const other = await harness.createTask(manager);
      const refused = async () => {
        for (const answer of [
          await tools.move(task, 'in_progress'),
          await tools.move(task, 'completed'),
          await tools.assign(task, { assignee_id: ann.id }),
          await tools.assign(task, { assign: 'random' }),
        ]) {
          expect([answer.status, codeOf(answer)]).to.deep.equal([422, 'illegal_transition']);
        }
      };
      await refused();
      const running = await lease();
      await refused();
      // the task is neither counted nor reassigned
      await tools.assign(other, { assign: 'random' });
      const shuffle = await harness.call('shuffleTasks', { token: manager.token });
      expect(shuffle.body).to.have.property('open').that.is.a('number');
      await harness.service.reassigner.tick();
      await client.settle('complete', running);
      await refused();
      await tools.expectChanges(task, 'started', 'completed');
    });

    it('can be edited at any time, and shows the last state of its job after the job was removed', async () => {
      const task = await tools.create(client);
      const running = await lease();
      const change = { token: manager.token, params: { id: task.id }, headers: { 'if-match': '*' } };
      expect((await harness.call('changeTask', { ...change, body: { title: 'Other' } })).body).to.include({
        title: 'Other',
        version: 3,
      });
      await client.settle('complete', running);
      await harness.sql('DELETE FROM jobs WHERE id = $1', [task.job.id]);
      const removed = { id: task.job.id, queue: null, kind: null, state: 'succeeded', reason: null, progress: null };
      expect((await harness.read(ann, task)).job).to.deep.equal(removed);
      await tools.expectChanges(task, 'started', 'changed', 'completed');
    });
  });

  describe('that is cancelled', () => {
    it('cancels its job, in whatever state it is', async () => {
      const queued = await tools.create(client);
      const scheduled = await tools.create(client, { run_at: '2100-01-01T00:00:00Z' });
      for (const task of [queued, scheduled]) {
        const answer = await tools.move(task, 'cancelled');
        expect(answer.body).to.deep.include({
          state: 'cancelled',
          job: { ...(answer.body as Task).job, state: 'cancelled' },
        });
        await tools.expectChanges(task, 'cancelled');
      }
      const dead = await tools.create(client);
      await client.settle('fail', await lease(), { final: true });
      await tools.move(dead, 'cancelled');
      expect(await tools.states(dead)).to.equal('cancelled/cancelled');
      expect(codeOf(await tools.move(dead, 'cancelled'))).to.equal('illegal_transition');
      const [{ actions } = { actions: [] }] = await harness.sql<{ actions: string[] }>(
        "SELECT array_agg(concat_ws(' ', action, actor)) AS actions FROM job_audit WHERE job_id = $1",
        [queued.job.id],
      );
      expect(actions).to.deep.equal([`cancel user:${manager.id}`]);
    });

    for (const [verb, ended] of [
      ['complete', [200, 'cancelled']],
      ['fail', [200, 'cancelled']],
      ['release', [200, 'cancelled']],
    ] as const) {
      it(`is cancelled at once, and its job ends as cancelled when the worker would ${verb} it`, async () => {
        const task = await tools.create(client);
        const running = await lease();
        expect((await tools.move(task, 'cancelled')).body).to.include({ state: 'cancelled' });
        expect(await tools.states(task)).to.equal('cancelled/leased');
        expect((await client.beat(running))[0]).to.include({ cancel_requested: true });
        expect(await client.settle(verb, running)).to.deep.equal(ended);
        expect(await tools.states(task)).to.equal('cancelled/cancelled');
        await tools.expectChanges(task, 'started', 'cancelled');
        const types = await harness.sql('SELECT type FROM outbox WHERE aggregate_id = $1', [task.job.id]);
        expect(types).to.deep.equal([{ type: 'tasks.job.cancelled' }]);
      });
    }

    it('follows its job when the job is cancelled or dropped, or when a predecessor is', async () => {
      const cancelled = await tools.create(client);
      const waiting = await tools.create(client, { after: [cancelled.job.id] });
      await tools.cancelJob(cancelled);
      expect(await tools.states(cancelled)).to.equal('cancelled/cancelled');
      await harness.service.promoter.tick();
      expect(await tools.states(waiting)).to.equal('cancelled/cancelled');
      const dropped = await tools.create(client);
      await client.settle('fail', await lease(), { final: true });
      const drop = { token: admin.token, body: { filter: { queue: client.queue }, reason: 'a test' } };
      expect((await harness.call('dropJobs', drop)).body).to.include({ dropped: 1 });
      await tools.expectChanges(cancelled, 'cancelled');
      await tools.expectChanges(waiting, 'cancelled');
      await tools.expectChanges(dropped, 'started', 'cancelled');
      const log = await harness.activity(manager, cancelled);
      expect(log.at(-1)).to.deep.include({ reason: 'its job was cancelled', actor: { id: manager.id, name: 'Mona' } });
    });

    it('follows the outcome that the worker reports when a leased job is cancelled', async () => {
      for (const [verb, states, changes] of [
        ['complete', 'completed/succeeded', ['started', 'completed']],
        ['fail', 'cancelled/cancelled', ['started', 'cancelled']],
      ] as const) {
        const task = await tools.create(client);
        const running = await lease();
        await tools.cancelJob(task);
        expect(await tools.states(task)).to.equal('in_progress/leased');
        await client.settle(verb, running);
        expect(await tools.states(task)).to.equal(states);
        await tools.expectChanges(task, ...changes);
      }
    });
  });

  describe('that is deleted', () => {
    it('cancels its job, and keeps its own state', async () => {
      const queued = await tools.create(client);
      await tools.remove(queued);
      expect(await tools.states(queued)).to.equal('draft/cancelled/deleted');
      const task = await tools.create(client);
      const running = await lease();
      await tools.remove(task);
      expect(await tools.states(task)).to.equal('in_progress/leased/deleted');
      expect(await client.settle('complete', running)).to.deep.equal([200, 'cancelled']);
      expect(await tools.states(task)).to.equal('in_progress/cancelled/deleted');
      await tools.expectChanges(queued, 'deleted');
      await tools.expectChanges(task, 'started', 'deleted');
      expect(await client.claim()).to.deep.equal([]);
    });
  });
});
