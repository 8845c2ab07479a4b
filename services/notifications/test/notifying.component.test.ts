import type { EventPayload, EventType } from '@taskwire/contracts';
import { expect } from 'chai';
import { eventually, serviceHarness } from './support/service-harness.ts';
import type { FakeUser } from './support/fake-services.ts';

describe('Telling people', () => {
  const o = serviceHarness();
  const { fact, assigned, told, typesTold, mailed, settled, handled } = o;

  it('tells the performer of an assignment, in the app and by one e-mail', async () => {
    await o.around.publish('tasks.task.assigned', assigned());
    const sent = await mailed(({ to }) => to.includes(o.ann.email));
    expect(sent.subject).to.equal('Assigned to you: “Paint the fence”');
    const [notification, ...more] = await told(o.ann);
    expect(more).to.deep.equal([]);
    expect(notification).to.include({
      type: 'task.assigned',
      title: 'A task was assigned to you',
      body: 'Mia assigned “Paint the fence” to you.',
      task_id: o.task.id,
      read_at: null,
    });
    expect(sent.messageId).to.equal(`<${notification!.id}@taskwire.test>`);
    expect(await told(o.mia)).to.deep.equal([]);
  });

  const endings: [EventType, (by: FakeUser) => EventPayload<'tasks.task.completed'>, string][] = [
    ['tasks.task.started', (by) => ({ ...fact(by), assigned_to: o.ann.id }), 'task.started'],
    ['tasks.task.completed', (by) => ({ ...fact(by), assigned_to: o.ann.id }), 'task.completed'],
  ];
  for (const [event, payload, type] of endings) {
    it(`tells the creator of ${event}, and not the performer who did it`, async () => {
      await o.around.publish(event, payload(o.ann));
      await eventually(async () => (await typesTold(o.mia)).includes(type));
      expect(await told(o.ann)).to.deep.equal([]);
    });
  }

  it('tells creator and performer of a cancellation, but not the one who cancelled', async () => {
    const admin = o.around.others.addUser('Ada', 'admin');
    await o.around.publish('tasks.task.cancelled', { ...fact(admin), assigned_to: o.ann.id });
    await eventually(async () => (await typesTold(o.mia)).includes('task.cancelled'));
    expect(await typesTold(o.ann)).to.deep.equal(['task.cancelled']);
    expect(await told(admin)).to.deep.equal([]);
  });

  it('tells both sides of a reassignment by the system', async () => {
    await o.around.publish('tasks.task.unassigned', { ...fact(null), unassigned_from: o.ann.id });
    await o.around.publish('tasks.task.assigned', { ...fact(null), assigned_to: o.ben.id });
    const [taken, given] = [
      await mailed(({ to }) => to.includes(o.ann.email)),
      await mailed(({ to }) => to.includes(o.ben.email)),
    ];
    expect(taken.text).to.include('Taskwire took “Paint the fence” from you');
    expect(given.text).to.include('Taskwire assigned “Paint the fence” to you');
  });

  it('does not tell people what they did themselves', async () => {
    await o.around.publish('tasks.task.assigned', { ...fact(o.ann), assigned_to: o.ann.id });
    await o.around.publish('tasks.task.completed', { ...fact(o.mia), assigned_to: o.ann.id });
    await settled();
    expect(await told(o.ann)).to.deep.equal([]);
    expect(await told(o.mia)).to.deep.equal([]);
  });

  it('welcomes a new user once, in the app alone: the mail of a new account is the one that verifies its address', async () => {
    const payload = { user_id: o.ann.id, timestamp: new Date().toISOString() };
    const id = await o.around.publish('auth.user.created', payload);
    await handled([id]);
    await o.around.publish('auth.user.created', payload, id);
    const duplicate = /inbox_messages_total\{.*handler="welcome",outcome="duplicate".*\} [1-9]/;
    await eventually(async () => duplicate.test(await o.service.parts.telemetry.metrics.metrics()));
    expect(await typesTold(o.ann)).to.deep.equal(['user.welcome']);
    expect(
      await o.rows(
        "SELECT FROM deliveries JOIN notifications n ON n.id = notification_id WHERE channel = 'email' AND user_id = $1",
        [o.ann.id],
      ),
    ).to.deep.equal([]);
  });

  it('tells of a deleted task what ended, under the title that it had, and not what was to be done', async () => {
    await o.around.publish('tasks.task.assigned', assigned());
    await eventually(async () => (await typesTold(o.ann)).length === 1);
    // the cached state is from before the next event
    await o.rows(`UPDATE task_cache SET fresh_as_of = '2026-11-20T10:00:00Z' WHERE id = $1`, [o.task.id]);
    o.around.others.tasks.set(o.task.id, 'deleted');
    await o.around.publish('tasks.task.assigned', assigned(o.ben));
    await o.around.publish('tasks.task.unassigned', { ...fact(o.mia), unassigned_from: o.ann.id });
    await eventually(async () => (await typesTold(o.ann)).length === 2);
    expect((await told(o.ann))[0]!.body).to.include('“Paint the fence”');
    expect(await told(o.ben)).to.deep.equal([]);
  });

  it('tells nothing of a task that was made and deleted before anybody was told of it', async () => {
    o.around.others.tasks.set(o.task.id, 'deleted');
    await handled([
      await o.around.publish('tasks.task.assigned', assigned()),
      await o.around.publish('tasks.task.unassigned', { ...fact(o.mia), unassigned_from: o.ann.id }),
      await o.around.publish('tasks.task.cancelled', { ...fact(o.mia), assigned_to: o.ann.id }),
    ]);
    expect(await told(o.ann)).to.deep.equal([]);
  });

  it('tells nothing to a user who was deleted', async () => {
    o.ann.isDeleted = true;
    await o.around.publish('tasks.task.assigned', assigned());
    await settled();
    const rows = await o.rows('SELECT 1 FROM notifications WHERE user_id = $1', [o.ann.id]);
    expect(rows).to.deep.equal([]);
  });

  it('keeps a hostile title as the words that it is', async () => {
    o.task.title = '<img src=x onerror=alert(1)> "quoted" \u202Eevil';
    await o.around.publish('tasks.task.assigned', assigned());
    const sent = await mailed(({ to }) => to.includes(o.ann.email));
    expect(sent.html).not.to.include('<img');
    expect((await told(o.ann))[0]!.body).to.include(o.task.title);
  });

  it('counts deliveries and shows what waits', async () => {
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
