import { expect } from 'chai';
import { events, eventSchemaVersion, uuid } from '@taskwire/contracts';
import { createOutsideAuth, type OutsideAuth } from './support/outside-auth.ts';
import { tasksHarness, type Person, type TasksHarness } from './support/tasks-harness.ts';
import { waitFor } from '@taskwire/testing';

describe('Events of tasks', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;

  before(async () => {
    harness = await tasksHarness();
    manager = await harness.join('Mona', 'manager');
    ann = await harness.join('Ann', 'member');
  });
  after(async () => await harness.stop());

  it('have the fields of the contract and no others, in the order of the changes', async () => {
    const ben = await harness.join('Ben', 'member');
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    const ifMatch = { 'if-match': '*' };
    const params = { id: task.id };
    await harness.call('changeTask', {
      token: manager.token,
      params,
      headers: ifMatch,
      body: { title: 'Paint the gate' },
    });
    await harness.transition(ann, task, 'in_progress');
    await harness.assign(manager, task, ben);
    await harness.transition(manager, task, 'cancelled');
    await harness.call('deleteTask', { token: manager.token, params, headers: ifMatch });

    const seen = await harness.observer.expectAbout(task.id, [
      'created',
      'changed',
      'assigned',
      'changed',
      'started',
      'unassigned',
      'assigned',
      'cancelled',
      'deleted',
    ]);
    const extra = seen.map(({ type, payload: { task_uuid, project_id, timestamp, actor, ...rest } }) => {
      expect(project_id).to.equal(null);
      expect(task_uuid).to.equal(task.id);
      expect(events[type].shape.timestamp.parse(timestamp)).to.match(/\.\d{6}Z$/);
      expect(actor).to.equal(type === 'tasks.task.started' ? ann.id : manager.id);
      return rest;
    });
    expect(extra).to.deep.equal([
      {},
      {},
      { assigned_to: ann.id },
      {},
      { assigned_to: ann.id },
      { unassigned_from: ann.id },
      { assigned_to: ben.id },
      { assigned_to: ben.id },
      {},
    ]);
    const times = seen.map((event) => String(event.payload['timestamp']));
    expect(times, 'each later than the one before').to.deep.equal([...new Set(times)].toSorted());
  });

  it('have times no later than the state that services read next', async () => {
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    const seen = await harness.observer.expectAbout(task.id, ['created', 'changed', 'assigned']);
    const token = await harness.auth.serviceToken('tasks:read');
    const { body } = await harness.call('getInternalTask', { token, params: { id: task.id } });
    expect(body).to.have.property('created_at', seen[0]?.payload['timestamp']);
    expect(body).to.have.property('updated_at', seen.at(-1)?.payload['timestamp']);
  });

  it('carry the trace and id of the request that caused them', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const { body } = await harness.call('createTask', {
      token: ann.token,
      body: { title: 'Paint the fence' },
      headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01`, 'x-request-id': 'request-7' },
    });
    const { id } = body as { id: string };
    const seen = await harness.observer.expectAbout(id, ['created', 'changed']);
    for (const { delivery } of seen) {
      expect(uuid.safeParse(delivery.messageId).success).to.equal(true);
      expect(delivery).to.include({
        correlationId: 'request-7',
        appId: 'tasks',
        userId: 'tasks',
        contentType: 'application/json',
      });
      expect(delivery.headers).to.include({ schema_version: eventSchemaVersion, aggregate_id: id });
      expect(delivery.headers['traceparent']).to.match(new RegExp(`^00-${traceId}-`));
    }
  });
});

describe('Events of users', () => {
  let harness: TasksHarness;
  let auth: OutsideAuth;
  let manager: Person;
  let ann: Person;
  let ben: Person;

  beforeEach(async () => {
    harness = await tasksHarness();
    auth = await createOutsideAuth(harness);
    manager = await harness.join('Mona', 'manager');
    ann = await harness.join('Ann', 'member');
    ben = await harness.join('Ben', 'member');
  });
  afterEach(async () => {
    await auth.stop();
    await harness.stop();
  });

  it('add new users to the directory, so that tasks can be assigned to them', async () => {
    const task = await harness.createTask(manager);
    const cas = await auth.created('Cas', 'member');
    await harness.createTask(manager, { assignee_id: ann.id });
    await harness.createTask(manager, { assignee_id: ben.id });
    await waitFor(async () => (await harness.service.directory.get(cas.id))?.isDeleted === false);
    const answer = await harness.call('assignTask', {
      token: manager.token,
      params: { id: task.id },
      body: { assign: 'random' },
    });
    expect(answer.body).to.deep.include({ assignee: { id: cas.id, name: 'Cas' } });
  });

  it('end the access of a deleted user and reassign their tasks within a second', async () => {
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    const at = performance.now();
    await auth.deleted(ann);
    await waitFor(async () => {
      const { status } = await harness.call('getTask', { token: ann.token, params: { id: task.id } });
      return status === 401 && (await harness.read(ben, task)).assignee_id === ben.id;
    });
    expect(performance.now() - at).to.be.below(1000);
  });

  it('change roles: a demoted manager can no longer assign, and a promoted member loses their tasks', async () => {
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    await auth.changed(manager, 'member');
    await auth.changed(ann, 'manager');
    await waitFor(async () => {
      const call = { token: manager.token, params: { id: task.id }, body: { assignee_id: ben.id } };
      return (
        (await harness.call('assignTask', call)).status === 403 &&
        (await harness.read(ben, task)).assignee_id !== ann.id
      );
    });
  });
});

describe('Processes of Tasks', () => {
  let harness: TasksHarness;

  before(async () => {
    harness = await tasksHarness({ PROCESS_ROLE: 'api' });
  });
  after(async () => await harness.stop());

  it('can be split into one that serves requests and a worker that relays and reassigns', async () => {
    const worker = await harness.replica({ PROCESS_ROLE: 'worker' });
    const manager = await harness.join('Mona', 'manager');
    const ann = await harness.join('Ann', 'member');
    await harness.join('Ben', 'member');
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    await harness.observer.expectAbout(task.id, ['created', 'changed', 'assigned']);
    await harness.become(ann, 'deleted');
    // only this process got the wake-up, so the worker has to poll
    await worker.reassigner.tick();
    await harness.observer.expectAbout(task.id, ['created', 'changed', 'assigned', 'unassigned', 'assigned']);

    const ready = async (url: string) => {
      const response = await fetch(`${url}/ready`);
      return [response.status, Object.keys(((await response.json()) as { checks: object }).checks).toSorted()];
    };
    expect(await ready(harness.service.http.url())).to.deep.equal([200, ['database', 'migrations']]);
    await waitFor(async () => (await ready(worker.http.url()))[0] === 200);
    expect(await ready(worker.http.url())).to.deep.equal([200, ['broker', 'database', 'migrations', 'partitions']]);
    const response = await fetch(`${worker.http.url()}/api/v1/tasks`, {
      headers: { authorization: `Bearer ${ann.token}` },
    });
    expect(response.status).to.equal(404);
  });

  it('count the tasks that await reassignment in their metrics', async () => {
    const text = await (await fetch(`${harness.service.http.url()}/metrics`)).text();
    for (const name of [
      'tasks_awaiting_reassignment{',
      'http_request_duration_seconds_bucket{',
      'db_pool_connections{',
    ]) {
      expect(text).to.include(name);
    }
  });
});
