import type { EventPayload, EventType } from '@taskwire/contracts';
import { expect } from 'chai';
import { eventually, serviceHarness } from './support/service-harness.ts';
import type { FakeUser } from './support/fake-services.ts';

describe('Notifying users', () => {
  const o = serviceHarness();
  const { fact, assigned, notificationsOf, typesOf, mailed, allHandled, handled } = o;

  it('notifies the performer of an assignment, in the app and by one e-mail', async () => {
    await o.around.publish('tasks.task.assigned', assigned());
    const sent = await mailed(({ to }) => to.includes(o.ann.email));
    expect(sent.subject).to.equal('Assigned to you: “Paint the fence”');
    const [notification, ...more] = await notificationsOf(o.ann);
    expect(more).to.deep.equal([]);
    expect(notification).to.include({
      type: 'task.assigned',
      title: 'A task was assigned to you',
      body: 'Mia assigned “Paint the fence” to you.',
      task_id: o.task.id,
      read_at: null,
    });
    expect(sent.messageId).to.equal(`<${notification!.id}@taskwire.test>`);
    expect(await notificationsOf(o.mia)).to.deep.equal([]);
  });

  const endings: [EventType, (by: FakeUser) => EventPayload<'tasks.task.completed'>, string][] = [
    ['tasks.task.started', (by) => ({ ...fact(by), assigned_to: o.ann.id }), 'task.started'],
    ['tasks.task.completed', (by) => ({ ...fact(by), assigned_to: o.ann.id }), 'task.completed'],
  ];
  for (const [event, payload, type] of endings) {
    it(`notifies the creator of ${event}, and not the performer who caused it`, async () => {
      await o.around.publish(event, payload(o.ann));
      await eventually(async () => (await typesOf(o.mia)).includes(type));
      expect(await notificationsOf(o.ann)).to.deep.equal([]);
    });
  }

  it('notifies creator and performer of a cancellation, but not the actor', async () => {
    const admin = o.around.others.addUser('Ada', 'admin');
    await o.around.publish('tasks.task.cancelled', { ...fact(admin), assigned_to: o.ann.id });
    await eventually(async () => (await typesOf(o.mia)).includes('task.cancelled'));
    expect(await typesOf(o.ann)).to.deep.equal(['task.cancelled']);
    expect(await notificationsOf(admin)).to.deep.equal([]);
  });

  it('notifies both performers of a reassignment by the system', async () => {
    await o.around.publish('tasks.task.unassigned', { ...fact(null), unassigned_from: o.ann.id });
    await o.around.publish('tasks.task.assigned', { ...fact(null), assigned_to: o.ben.id });
    const [taken, given] = [
      await mailed(({ to }) => to.includes(o.ann.email)),
      await mailed(({ to }) => to.includes(o.ben.email)),
    ];
    expect(taken.text).to.include('Taskwire took “Paint the fence” from you');
    expect(given.text).to.include('Taskwire assigned “Paint the fence” to you');
  });

  it('reminds performer and creator of an overdue task, in the app and by one e-mail each', async () => {
    o.task.dueAt = '2026-11-20T09:00:00.000000Z';
    const overdue = { ...fact(null), due_at: o.task.dueAt, due_time_zone: 'Europe/Berlin', due_all_day: false };
    await o.around.publish('tasks.task.overdue', { ...overdue, assigned_to: o.ann.id });
    for (const user of [o.ann, o.mia]) {
      const sent = await mailed(({ to }) => to.includes(user.email));
      expect(sent.subject).to.equal('Overdue: “Paint the fence”');
      const text = '“Paint the fence” was due on 2026-11-20 10:00 (Europe/Berlin)';
      expect(sent.text).to.include(`${text}, and is not completed.`);
      const [notification, ...more] = await notificationsOf(user);
      expect(more).to.deep.equal([]);
      expect(notification).to.include({ type: 'task.overdue', title: 'A task is overdue', body: `${text}.` });
    }
  });

  it('reminds the performer of a due date, and no one if the task has no performer', async () => {
    const soon = { ...fact(null), due_at: '2026-11-20T17:00:00.000000Z' };
    await o.around.publish('tasks.task.due_soon', { ...soon, assigned_to: null });
    await o.around.publish('tasks.task.due_soon', { ...soon, timestamp: fact(null).timestamp, assigned_to: o.ann.id });
    await eventually(async () => (await typesOf(o.ann)).includes('task.due_soon'));
    expect((await notificationsOf(o.ann))[0]!.body).to.equal('“Paint the fence” is due on 2026-11-20 17:00 UTC.');
    expect(await notificationsOf(o.mia)).to.deep.equal([]);
  });

  it('sends no reminder of a due date that has been changed', async () => {
    o.task.dueAt = '2026-12-20T09:00:00.000000Z';
    const overdue = { ...fact(null), due_at: '2026-11-20T09:00:00.000000Z', assigned_to: o.ann.id };
    await o.around.publish('tasks.task.overdue', overdue);
    const reasons = async () =>
      await o.rows<{ last_error: string }>(
        "SELECT last_error FROM deliveries JOIN notifications n ON n.id = notification_id WHERE channel = 'email' AND state = 'skipped' AND n.task_id = $1",
        [o.task.id],
      );
    await eventually(async () => (await reasons()).length === 2);
    for (const { last_error } of await reasons()) expect(last_error).to.equal('the task has another due date');
    expect(o.mailsTo(o.ann)).to.deep.equal([]);
  });

  it('shows a task to no one who may not read it, and records why the e-mail was skipped', async () => {
    o.task.readers = [o.mia.id];
    const boss = o.around.others.addUser('Bo', 'manager');
    await o.around.publish('tasks.task.unassigned', { ...fact(null), unassigned_from: o.ann.id });
    const author = o.around.others.addUser('Ada', 'admin');
    const comment = { comment_uuid: crypto.randomUUID(), author: author.id };
    await o.around.publish('tasks.comment.added', { ...fact(author), ...comment, mentions: [o.ben.id, boss.id] });
    expect((await mailed(({ to }) => to.includes(o.mia.email))).text).to.include('Ada commented on “Paint the fence”.');
    // managers and admins may read every task
    expect((await mailed(({ to }) => to.includes(boss.email))).text).to.include('Ada mentioned you');
    expect(await typesOf(boss)).to.deep.equal(['comment.mentioned']);
    const skipped = async () =>
      await o.rows<{ last_error: string }>(
        "SELECT last_error FROM deliveries JOIN notifications n ON n.id = notification_id WHERE state = 'skipped' AND n.task_id = $1",
        [o.task.id],
      );
    await eventually(async () => (await skipped()).length === 2);
    for (const { last_error } of await skipped())
      expect(last_error).to.equal('the recipient may no longer read the task');
    for (const user of [o.ann, o.ben]) expect([await notificationsOf(user), o.mailsTo(user)]).to.deep.equal([[], []]);
  });

  it('notifies creator and performer of a comment, and a mentioned user of the mention alone, in the app and by one e-mail each', async () => {
    o.task.assigneeId = o.ann.id;
    const author = o.around.others.addUser('Ada', 'admin');
    const comment = { comment_uuid: crypto.randomUUID(), author: author.id };
    await o.around.publish('tasks.comment.added', { ...fact(author), ...comment, mentions: [o.ann.id, o.ben.id] });
    const text = 'Ada mentioned you in a comment on “Paint the fence”.';
    for (const user of [o.ann, o.ben]) {
      expect((await mailed(({ to }) => to.includes(user.email))).text).to.include(text);
      expect((await notificationsOf(user)).map(({ type, body }) => [type, body])).to.deep.equal([
        ['comment.mentioned', text],
      ]);
    }
    expect((await mailed(({ to }) => to.includes(o.mia.email))).text).to.include('Ada commented on “Paint the fence”.');
    expect(await typesOf(o.mia)).to.deep.equal(['comment.added']);
    // a user is notified of a comment once, whatever happens to it
    const cas = o.around.others.addUser('Cas');
    const changed = { ...fact(author), ...comment, mentions: [o.ann.id, o.mia.id, cas.id] };
    await o.around.publish('tasks.comment.changed', { ...changed, mentions_added: [o.ann.id, o.mia.id, cas.id] });
    await o.around.publish('tasks.comment.changed', {
      ...changed,
      timestamp: fact(author).timestamp,
      mentions_added: [],
    });
    await allHandled();
    await eventually(async () => (await typesOf(cas)).length === 1);
    expect(await typesOf(o.mia)).to.deep.equal(['comment.added']);
    expect(await typesOf(o.ann)).to.deep.equal(['comment.mentioned']);
    expect(await notificationsOf(author)).to.deep.equal([]);
  });

  it('notifies a user once of a comment whose change is handled before it, and again of the next comment', async () => {
    o.task.assigneeId = o.ann.id;
    const author = o.around.others.addUser('Ada', 'admin');
    const comment = { comment_uuid: crypto.randomUUID(), author: author.id };
    const added = { ...fact(author), ...comment, mentions: [] };
    const changed = { ...fact(author), ...comment, mentions: [o.mia.id], mentions_added: [o.mia.id] };
    await handled([await o.around.publish('tasks.comment.changed', changed)]);
    await handled([await o.around.publish('tasks.comment.added', added)]);
    expect(await typesOf(o.mia)).to.deep.equal(['comment.mentioned']);
    expect(await typesOf(o.ann)).to.deep.equal(['comment.added']);
    const next = { ...added, ...fact(author), comment_uuid: crypto.randomUUID() };
    await handled([await o.around.publish('tasks.comment.added', next)]);
    expect(await typesOf(o.mia)).to.deep.equal(['comment.added', 'comment.mentioned']);
    expect((await mailed(({ to }) => to.includes(o.mia.email))).text).to.include('Ada');
    await eventually(() => o.mailsTo(o.mia).length === 2);
  });

  it('notifies the current performer of a comment, even one whom no earlier event named', async () => {
    await o.around.publish('tasks.task.started', { ...fact(o.ann), assigned_to: o.ann.id });
    await eventually(async () => (await typesOf(o.mia)).includes('task.started'));
    Object.assign(o.task, { assigneeId: o.ben.id, version: o.task.version + 1 });
    const comment = { comment_uuid: crypto.randomUUID(), author: o.mia.id, mentions: [] };
    const timestamp = new Date(Date.parse(o.task.updatedAt) + 1).toISOString();
    await o.around.publish('tasks.comment.added', { ...fact(o.mia), ...comment, timestamp });
    await eventually(async () => (await typesOf(o.ben)).includes('comment.added'));
    expect(await typesOf(o.ann)).to.deep.equal([]);
    expect(await typesOf(o.mia)).to.deep.equal(['task.started']);
  });

  it('notifies the creator of a task that a job carries out, with Taskwire as the actor, and no one else', async () => {
    for (const type of ['tasks.task.started', 'tasks.task.completed', 'tasks.task.cancelled'] as const)
      await o.around.publish(type, { ...fact(null), assigned_to: null });
    await allHandled();
    expect((await notificationsOf(o.mia)).map(({ body }) => body).toSorted()).to.deep.equal([
      'Taskwire cancelled “Paint the fence”.',
      'Taskwire completed “Paint the fence”.',
      'Taskwire started “Paint the fence”.',
    ]);
    expect(await notificationsOf(o.ann)).to.deep.equal([]);
    expect(o.mailsTo(o.ann)).to.deep.equal([]);
  });

  it('does not notify users of their own actions', async () => {
    await o.around.publish('tasks.task.assigned', { ...fact(o.ann), assigned_to: o.ann.id });
    await o.around.publish('tasks.task.completed', { ...fact(o.mia), assigned_to: o.ann.id });
    await allHandled();
    expect(await notificationsOf(o.ann)).to.deep.equal([]);
    expect(await notificationsOf(o.mia)).to.deep.equal([]);
  });

  it('welcomes a new user once, in the app only: the only mail for a new account verifies its address', async () => {
    const payload = { user_id: o.ann.id, timestamp: new Date().toISOString() };
    const id = await o.around.publish('auth.user.created', payload);
    await handled([id]);
    await o.around.publish('auth.user.created', payload, id);
    const duplicate = /inbox_messages_total\{.*handler="welcome",outcome="duplicate".*\} [1-9]/;
    await eventually(async () => duplicate.test(await o.service.parts.telemetry.metrics.metrics()));
    expect(await typesOf(o.ann)).to.deep.equal(['user.welcome']);
    expect(
      await o.rows(
        "SELECT FROM deliveries JOIN notifications n ON n.id = notification_id WHERE channel = 'email' AND user_id = $1",
        [o.ann.id],
      ),
    ).to.deep.equal([]);
  });

  it('reports the end of a deleted task under its last title, and no new work on it', async () => {
    await o.around.publish('tasks.task.assigned', assigned());
    await eventually(async () => (await typesOf(o.ann)).length === 1);
    // the cached state is older than the next event
    await o.rows(`UPDATE task_cache SET fresh_as_of = '2026-11-20T10:00:00Z' WHERE id = $1`, [o.task.id]);
    o.around.others.tasks.set(o.task.id, 'deleted');
    await o.around.publish('tasks.task.assigned', assigned(o.ben));
    await o.around.publish('tasks.task.unassigned', { ...fact(o.mia), unassigned_from: o.ann.id });
    await eventually(async () => (await typesOf(o.ann)).length === 2);
    expect((await notificationsOf(o.ann))[0]!.body).to.include('“Paint the fence”');
    expect(await notificationsOf(o.ben)).to.deep.equal([]);
  });

  it('reports nothing about a task deleted before anyone was notified of it', async () => {
    o.around.others.tasks.set(o.task.id, 'deleted');
    await handled([
      await o.around.publish('tasks.task.assigned', assigned()),
      await o.around.publish('tasks.task.unassigned', { ...fact(o.mia), unassigned_from: o.ann.id }),
      await o.around.publish('tasks.task.cancelled', { ...fact(o.mia), assigned_to: o.ann.id }),
    ]);
    expect(await notificationsOf(o.ann)).to.deep.equal([]);
  });

  it('does not notify a deleted user', async () => {
    o.ann.isDeleted = true;
    await o.around.publish('tasks.task.assigned', assigned());
    await allHandled();
    const rows = await o.rows('SELECT 1 FROM notifications WHERE user_id = $1', [o.ann.id]);
    expect(rows).to.deep.equal([]);
  });

  it('keeps a hostile title as literal text', async () => {
    o.task.title = '<img src=x onerror=alert(1)> "quoted" \u202Eevil';
    await o.around.publish('tasks.task.assigned', assigned());
    const sent = await mailed(({ to }) => to.includes(o.ann.email));
    expect(sent.html).not.to.include('<img');
    expect((await notificationsOf(o.ann))[0]!.body).to.include(o.task.title);
  });

  it('counts deliveries, and shows waiting ones in metrics', async () => {
    o.mail.answer(() => ({ code: 451, text: 'later' }));
    await o.around.publish('tasks.task.assigned', assigned());
    await eventually(async () => /outcome="retry"/.test(String((await o.service.call('GET', '/metrics')).body)));
    const { body } = await o.service.call('GET', '/metrics');
    expect(body).to.match(/notifications_deliveries\{channel="email",state="pending",service="notifications"\} 1/);
    expect(body).to.match(
      /notifications_delivery_attempts_total\{channel="email",outcome="sent",service="notifications"\} \d+/,
    );
  });
});
