import { expect } from 'chai';
import { events, eventSchemaVersion, uuid } from '@taskwire/contracts';
import { createOutsideAuth, type OutsideAuth } from './support/outside-auth.ts';
import { tasksWorld, type Person, type TasksWorld } from './support/tasks-world.ts';
import { waitFor } from '@taskwire/testing';

describe('Events of tasks', () => {
  let world: TasksWorld;
  let manager: Person;
  let ann: Person;

  before(async () => {
    world = await tasksWorld();
    manager = await world.join('Mona', 'manager');
    ann = await world.join('Ann', 'member');
  });
  after(async () => await world.stop());

  it('have the fields of the contract and no others, in the order of the changes', async () => {
    const ben = await world.join('Ben', 'member');
    const task = await world.createTask(manager, { assignee_id: ann.id });
    const ifMatch = { 'if-match': '*' };
    const params = { id: task.id };
    await world.call('changeTask', {
      token: manager.token,
      params,
      headers: ifMatch,
      body: { title: 'Paint the gate' },
    });
    await world.transition(ann, task, 'in_progress');
    await world.assign(manager, task, ben);
    await world.transition(manager, task, 'cancelled');
    await world.call('deleteTask', { token: manager.token, params, headers: ifMatch });

    const seen = await world.observer.expectAbout(task.id, [
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
    const extra = seen.map(({ type, payload: { task_uuid, timestamp, actor, ...rest } }) => {
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

  it('have times no later than that of the state that services read next', async () => {
    const task = await world.createTask(manager, { assignee_id: ann.id });
    const seen = await world.observer.expectAbout(task.id, ['created', 'changed', 'assigned']);
    const token = await world.auth.serviceToken('tasks:read');
    const { body } = await world.call('getInternalTask', { token, params: { id: task.id } });
    expect(body).to.have.property('created_at', seen[0]?.payload['timestamp']);
    expect(body).to.have.property('updated_at', seen.at(-1)?.payload['timestamp']);
  });

  it('carry the trace and id of the request that caused them', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const { body } = await world.call('createTask', {
      token: ann.token,
      body: { title: 'Paint the fence' },
      headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01`, 'x-request-id': 'request-7' },
    });
    const { id } = body as { id: string };
    const seen = await world.observer.expectAbout(id, ['created', 'changed']);
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
  let world: TasksWorld;
  let auth: OutsideAuth;
  let manager: Person;
  let ann: Person;
  let ben: Person;

  beforeEach(async () => {
    world = await tasksWorld();
    auth = await createOutsideAuth(world);
    manager = await world.join('Mona', 'manager');
    ann = await world.join('Ann', 'member');
    ben = await world.join('Ben', 'member');
  });
  afterEach(async () => {
    await auth.stop();
    await world.stop();
  });

  it('add new users to the directory, so that tasks can be assigned to them', async () => {
    const task = await world.createTask(manager);
    const cas = await auth.created('Cas', 'member');
    await world.createTask(manager, { assignee_id: ann.id });
    await world.createTask(manager, { assignee_id: ben.id });
    await waitFor(async () => (await world.service.directory.get(cas.id))?.isDeleted === false);
    const answer = await world.call('assignTask', {
      token: manager.token,
      params: { id: task.id },
      body: { assign: 'random' },
    });
    expect(answer.body).to.deep.include({ assignee: { id: cas.id, name: 'Cas' } });
  });

  it('end the access of a deleted user and reassign their tasks within a second', async () => {
    const task = await world.createTask(manager, { assignee_id: ann.id });
    const at = performance.now();
    await auth.deleted(ann);
    await waitFor(async () => {
      const { status } = await world.call('getTask', { token: ann.token, params: { id: task.id } });
      return status === 401 && (await world.read(ben, task)).assignee_id === ben.id;
    });
    expect(performance.now() - at).to.be.below(1000);
  });

  it('change roles: a demoted manager can no longer assign, and a promoted member loses their tasks', async () => {
    const task = await world.createTask(manager, { assignee_id: ann.id });
    await auth.changed(manager, 'member');
    await auth.changed(ann, 'manager');
    await waitFor(async () => {
      const call = { token: manager.token, params: { id: task.id }, body: { assignee_id: ben.id } };
      return (
        (await world.call('assignTask', call)).status === 403 && (await world.read(ben, task)).assignee_id !== ann.id
      );
    });
  });
});

describe('Processes of Tasks', () => {
  let world: TasksWorld;

  before(async () => {
    world = await tasksWorld({ PROCESS_ROLE: 'api' });
  });
  after(async () => await world.stop());

  it('can be split into one that serves requests and a worker that relays and reassigns', async () => {
    const worker = await world.replica({ PROCESS_ROLE: 'worker' });
    const manager = await world.join('Mona', 'manager');
    const ann = await world.join('Ann', 'member');
    await world.join('Ben', 'member');
    const task = await world.createTask(manager, { assignee_id: ann.id });
    await world.observer.expectAbout(task.id, ['created', 'changed', 'assigned']);
    await world.become(ann, 'deleted');
    // this process got the wake-up; the worker has to poll
    await worker.reassigner.tick();
    await world.observer.expectAbout(task.id, ['created', 'changed', 'assigned', 'unassigned', 'assigned']);

    const ready = async (url: string) => {
      const response = await fetch(`${url}/ready`);
      return [response.status, Object.keys(((await response.json()) as { checks: object }).checks).toSorted()];
    };
    expect(await ready(world.service.http.url())).to.deep.equal([200, ['database', 'migrations']]);
    await waitFor(async () => (await ready(worker.http.url()))[0] === 200);
    expect(await ready(worker.http.url())).to.deep.equal([200, ['broker', 'database', 'migrations']]);
    const response = await fetch(`${worker.http.url()}/api/v1/tasks`, {
      headers: { authorization: `Bearer ${ann.token}` },
    });
    expect(response.status).to.equal(404);
  });

  it('count the tasks that await reassignment in their metrics', async () => {
    const text = await (await fetch(`${world.service.http.url()}/metrics`)).text();
    for (const name of [
      'tasks_awaiting_reassignment{',
      'http_request_duration_seconds_bucket{',
      'db_pool_connections{',
    ]) {
      expect(text).to.include(name);
    }
  });
});
