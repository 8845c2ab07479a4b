import { expect } from 'chai';
import { schemas } from '@taskwire/contracts';
import { waitFor } from '@taskwire/testing';
import { demoPerson, mailsTo, newMember, notificationsAbout, type Person, type Task } from './front-end.ts';
import { useSuite } from './suite.ts';

describe('The main flow, through the gateway', () => {
  const suite = useSuite();
  let manager: Person;
  let admin: Person;
  let performer: Person;

  before(async () => {
    manager = await demoPerson(suite(), 'manager');
    admin = await demoPerson(suite(), 'admin');
    performer = await newMember(suite(), 'Pia Performer');
  });

  async function assigned(title: string, to: Person): Promise<Task> {
    const { status, body } = await manager.call<Task>('POST', '/api/v1/tasks', { title, assignee_id: to.user.id });
    expect(status).to.equal(201);
    return body;
  }

  it('welcomes a new user in the app, and mails them once, without any text that they entered', async () => {
    const welcomed = async () => {
      const { body } = await performer.call('GET', '/api/v1/notifications');
      return body.data.some((one: { type: string }) => one.type === 'user.welcome');
    };
    await waitFor(welcomed);
    const mails = await waitFor(async () => {
      const arrived = await mailsTo(suite(), performer.user.email);
      return arrived.length > 0 && arrived;
    });
    expect(mails.map(({ subject }) => subject)).to.deep.equal(['Verify your e-mail address']);
    expect(JSON.stringify(mails)).not.to.contain('Pia');
  });

  it('carries a task from its creator to the performer and back', async () => {
    const task = await assigned('Water the plants', performer);
    expect(schemas.task.parse(task)).to.deep.include({
      state: 'assigned',
      assignee: { id: performer.user.id, name: 'Pia Performer' },
    });

    const [notification] = await waitFor(async () => {
      const list = await notificationsAbout(performer, task.id);
      return list.length > 0 && list;
    });
    expect(schemas.notification.parse(notification)).to.include({ type: 'task.assigned', read_at: null });
    const mail = await waitFor(async () =>
      (await mailsTo(suite(), performer.user.email)).find(({ subject }) => subject.includes('Water the plants')),
    );
    expect(mail.headers['message-id']).to.contain(notification?.id);
    expect(mail.html).to.contain('Water the plants');

    const path = `/api/v1/tasks/${task.id}/transition`;
    const read = await performer.call<Task>('GET', `/api/v1/tasks/${task.id}`);
    const tag = { 'if-match': read.headers.get('etag') ?? '' };
    const started = await performer.call<Task>('POST', path, { state: 'in_progress' }, tag);
    expect([started.status, started.body.state, started.body.version]).to.deep.equal([200, 'in_progress', 2]);
    expect((await performer.call('POST', path, { state: 'completed' }, tag)).status).to.equal(412);
    expect((await performer.call('POST', path, { state: 'completed' })).status).to.equal(200);

    const types = await waitFor(async () => {
      const list = await notificationsAbout(manager, task.id);
      return list.length === 2 && list.map(({ type }) => type);
    });
    expect(types).to.deep.equal(['task.completed', 'task.started']);

    const { body: activity } = await manager.call('GET', `/api/v1/tasks/${task.id}/activity`);
    const actions = activity.data.map((entry: { action: string }) => entry.action);
    expect(actions).to.include.members(['created', 'assigned', 'started', 'completed']);
  });

  it('sends exactly one e-mail about an overdue task to its creator', async () => {
    const creator = await newMember(suite(), 'Cleo Creator');
    const given = { title: 'Water the cactus', due_at: new Date(Date.now() + 1_500).toISOString() };
    const { body: task } = await creator.call<Task>('POST', '/api/v1/tasks', given);
    const overdue = async () =>
      (await mailsTo(suite(), creator.user.email)).filter(({ subject }) => subject === 'Overdue: “Water the cactus”');
    await waitFor(async () => (await overdue()).length > 0);
    // a later event of the task, which would reach the performer after any second reminder
    const path = `/api/v1/tasks/${task.id}/assign`;
    expect((await manager.call('POST', path, { assignee_id: performer.user.id })).status).to.equal(200);
    await waitFor(async () => (await notificationsAbout(performer, task.id)).length > 0);
    expect(await overdue()).to.have.length(1);
    expect((await notificationsAbout(creator, task.id)).map(({ type }) => type)).to.deep.equal(['task.overdue']);
  });

  it('counts unread notifications, and marks them as read one by one or all at once', async () => {
    const reader = await newMember(suite());
    // the welcome is the first unread notification
    await waitFor(async () => (await reader.call('POST', '/api/v1/notifications/read_all')).body.read === 1);
    const tasks = [await assigned('One', reader), await assigned('Two', reader), await assigned('Three', reader)];
    await waitFor(
      async () => (await reader.call('GET', '/api/v1/notifications/unread_count')).body.unread_count === 3 || undefined,
    );
    const [first] = await notificationsAbout(reader, tasks[0]?.id ?? '');
    const read = await reader.call('POST', `/api/v1/notifications/${first?.id}/read`);
    expect(read.body.read_at).to.be.a('string');
    expect((await reader.call('GET', '/api/v1/notifications?unread=true')).body.data).to.have.length(2);
    expect((await reader.call('POST', '/api/v1/notifications/read_all')).body).to.deep.equal({ read: 2 });
    expect((await reader.call('GET', '/api/v1/notifications/unread_count')).body.unread_count).to.equal(0);
    expect((await performer.call('POST', `/api/v1/notifications/${first?.id}/read`)).status).to.equal(404);
  });

  it('assigns a task to a random performer on request, and gives the reason', async () => {
    const { status, body } = await manager.call<Task>('POST', '/api/v1/tasks', { title: 'Random', assign: 'random' });
    expect([status, body.state]).to.deep.equal([201, 'assigned']);
    const { body: activity } = await manager.call('GET', `/api/v1/tasks/${body.id}/activity`);
    const entry = activity.data.find(({ action }: { action: string }) => action === 'assigned');
    expect(entry.reason).to.match(/fewest/);
  });

  it('carries out a repeated request with the same Idempotency-Key once', async () => {
    const create = async () =>
      await manager.call<Task>('POST', '/api/v1/tasks', { title: 'Once' }, { 'idempotency-key': performer.user.id });
    const [a, b] = await Promise.all([create(), create()]);
    const c = await create();
    const created = [a, b, c].filter(({ status }) => status === 201).map(({ body }) => body.id);
    expect(new Set(created).size).to.equal(1);
    expect(c.headers.get('idempotency-replayed')).to.equal('true');
  });

  // sends the password, because the admin may have logged in more than five minutes before this test
  const deleteUser = async (person: Person) =>
    await admin.call(
      'DELETE',
      `/api/v1/users/${person.user.id}`,
      { current_password: admin.password },
      { 'if-match': '*' },
    );

  for (const [what, end] of [
    [
      'demoted',
      async (person: Person) =>
        (
          await admin.call(
            'PATCH',
            `/api/v1/users/${person.user.id}`,
            { role: 'manager', current_password: admin.password },
            { 'if-match': '*' },
          )
        ).status === 200,
    ],
    ['deleted', async (person: Person) => (await deleteUser(person)).status === 204],
  ] as const) {
    it(`reassigns the open tasks of a performer who is ${what}, and notifies both performers`, async () => {
      const leaving = await newMember(suite(), 'Lea Leaving');
      const task = await assigned(`Hand over (${what})`, leaving);
      await waitFor(async () =>
        (await mailsTo(suite(), leaving.user.email)).some(({ subject }) => subject.includes(task.title)),
      );
      expect(await end(leaving)).to.equal(true);
      const moved = await waitFor(async () => {
        const { body } = await manager.call<Task>('GET', `/api/v1/tasks/${task.id}`);
        return body.assignee_id !== leaving.user.id && body;
      });
      expect(moved.state).to.equal('assigned');
      const { body: people } = await admin.call('GET', `/api/v1/users/${moved.assignee_id}`);
      await waitFor(async () =>
        (await mailsTo(suite(), people.email)).some(({ subject }) => subject.includes(task.title)),
      );
    });
  }

  it('ends the access of a deleted user everywhere within a second', async () => {
    const leaving = await newMember(suite());
    await waitFor(async () => (await leaving.call('GET', '/api/v1/notifications')).status === 200);
    expect((await deleteUser(leaving)).status).to.equal(204);
    for (const path of ['/api/v1/users/me', '/api/v1/tasks', '/api/v1/notifications']) {
      await waitFor(async () => (await leaving.call('GET', path)).status === 401, {
        timeoutMs: 1500,
        what: `401 at ${path}`,
      });
    }
  });
});
