import { randomUUIDv7 } from 'node:crypto';
import { expect } from 'chai';
import { tasksRoutes } from '@taskwire/contracts';
import { waitFor } from '@taskwire/testing';
import { codeOf } from './support/api.ts';
import { tasksHarness, type Person, type TasksHarness } from './support/tasks-harness.ts';

const list = tasksRoutes.listTaskJourney.responses[200];

describe('Journeys of tasks', () => {
  let harness: TasksHarness;
  let admin: Person;
  let manager: Person;
  let ann: Person;
  before(async () => {
    harness = await tasksHarness();
    admin = await harness.join('Ada', 'admin');
    manager = await harness.join('Mona', 'manager');
    ann = await harness.join('Ann', 'member');
  });
  after(async () => await harness.stop());

  const read = async (taskId: string, { token }: Person = admin) =>
    await harness.call('listTaskJourney', { token, params: { task_id: taskId } });

  const published = async (taskId: string, count: number) =>
    await waitFor(async () => {
      const { data } = list.parse((await read(taskId)).body);
      return data.length === count && data.every(({ state }) => state === 'confirmed') && data;
    });

  it('have every event with its request and its times, in the order of the steps, between request and response', async () => {
    const sent = new Date().toISOString();
    const { body, headers } = await harness.call('createTask', {
      token: manager.token,
      body: { title: 'Paint the fence', assignee_id: ann.id },
    });
    const answered = new Date(Date.now() + 1).toISOString();
    const events = await published((body as { id: string }).id, 3);
    expect(events.map(({ event }) => event)).to.deep.equal([
      'tasks.task.created',
      'tasks.task.changed',
      'tasks.task.assigned',
    ]);
    for (const { request_id, requested_at, created_at, published_at, confirmed_at } of events) {
      expect(request_id).to.equal(headers.get('x-request-id'));
      const steps = [sent, requested_at, created_at, published_at, confirmed_at].map(String);
      expect(steps).to.deep.equal(steps.toSorted());
      expect(created_at < answered).to.equal(true);
    }
  });

  it('remain after the task is deleted, name each request, and are found by the id in either case', async () => {
    const task = await harness.createTask(manager);
    await harness.call('deleteTask', { token: manager.token, params: { id: task.id }, headers: { 'if-match': '*' } });
    const events = await published(task.id.toUpperCase(), 3);
    expect(new Set(events.map(({ request_id }) => request_id)).size).to.equal(2);
  });

  it('include the events of comments, also of deleted ones, under the ids of the comments', async () => {
    const task = await harness.createTask(manager);
    const of = { token: ann.token, params: { id: task.id } };
    const { body } = await harness.call('addComment', { ...of, body: { body: 'Done?' } });
    const { id: comment } = body as { id: string };
    const deleted = { ...of, params: { id: task.id, comment_id: comment }, headers: { 'if-match': '*' } };
    await harness.call('deleteComment', deleted);
    const events = await published(task.id, 4);
    expect(events.map(({ event, comment_id }) => [event, comment_id])).to.deep.equal([
      ['tasks.task.created', null],
      ['tasks.task.changed', null],
      ['tasks.comment.added', comment],
      ['tasks.comment.deleted', comment],
    ]);
  });

  it('include the events of the job that carries out the task, under the id of the job', async () => {
    const { body } = await harness.call('createTask', {
      token: manager.token,
      body: { title: 'Render the report', kind: 'job', job: { queue: 'reports', kind: 'render', payload: {} } },
    });
    const task = body as { id: string; job: { id: string } };
    await harness.call('cancelJob', { token: admin.token, params: { id: task.job.id } });
    const events = await published(task.id, 4);
    expect(events.map(({ event, job_id, comment_id }) => [event, job_id, comment_id])).to.have.deep.members([
      ['tasks.task.created', null, null],
      ['tasks.task.changed', null, null],
      ['tasks.task.cancelled', null, null],
      ['tasks.job.cancelled', task.job.id, null],
    ]);
  });

  it('are empty for a task whose events are no longer kept, and 404 for one that never existed', async () => {
    const task = await harness.createTask(manager);
    await published(task.id, 2);
    await harness.database.db.query('DELETE FROM published_events WHERE aggregate_id = $1', [task.id]);
    expect((await read(task.id)).body).to.deep.equal({ data: [], next_cursor: null });
    const unknown = await read(randomUUIDv7());
    expect([unknown.status, codeOf(unknown)]).to.deep.equal([404, 'not_found']);
  });

  it('are for admins only', async () => {
    const task = await harness.createTask(manager);
    for (const person of [manager, ann]) expect((await read(task.id, person)).status).to.equal(403);
  });
});
