import { randomUUIDv7 } from 'node:crypto';
import { notificationsRoutes, type EventPayload, type EventType } from '@taskwire/contracts';
import { query } from '@taskwire/postgres';
import { testMail, waitFor, type TestMail } from '@taskwire/testing';
import { expect } from 'chai';
import type { StandInTask, StandInUser } from './support/other-services.ts';
import { startService, startSurroundings, type RunningService, type Surroundings } from './support/running-service.ts';

const list = notificationsRoutes.listNotifications.responses[200];

describe('Telling people', () => {
  let around: Surroundings;
  let service: RunningService;
  let mail: TestMail;
  let mia: StandInUser;
  let ann: StandInUser;
  let ben: StandInUser;
  let task: StandInTask;

  before(async () => {
    around = await startSurroundings();
    mail = await testMail();
    service = await startService(around, { SMTP_URL: mail.url });
  });
  after(async () => {
    await service.stop();
    await mail.stop();
    await around.stop();
  });
  beforeEach(() => {
    mia = around.others.addUser('Mia', 'manager');
    ann = around.others.addUser('Ann');
    ben = around.others.addUser('Ben');
    task = around.others.addTask(mia, 'Paint the fence');
  });
  afterEach(() => {
    around.others.down.clear();
    mail.answer(() => undefined);
  });

  async function told(user: StandInUser) {
    const token = await around.others.userToken(user);
    const { body } = await service.call('GET', '/api/v1/notifications', { token });
    return list.parse(body).data;
  }
  const typesTold = async (user: StandInUser) => (await told(user)).map(({ type }) => type);
  const mailsTo = (user: StandInUser) => mail.received.filter(({ to }) => to.includes(user.email));

  /** The fields that every event of the task has; each one is a bit later than the one before. */
  let clock = Date.parse('2026-11-20T10:00:00Z');
  const fact = (actor: StandInUser | null) => ({
    task_uuid: task.id,
    timestamp: new Date((clock += 10)).toISOString(),
    actor: actor?.id ?? null,
  });
  const assigned = (performer = ann): EventPayload<'tasks.task.assigned'> => ({
    ...fact(mia),
    assigned_to: performer.id,
  });

  /** Resolves once everything that was published before has been dealt with. */
  async function settled(): Promise<void> {
    const marker = around.others.addUser('Marker');
    await around.publish('tasks.task.unassigned', { ...fact(mia), unassigned_from: marker.id });
    await waitFor(async () => (await typesTold(marker)).length === 1);
  }
  /** Resolves once these messages are done. */
  async function handled(ids: string[]): Promise<void> {
    await waitFor(async () => {
      const rows = await query(
        around.database.db.pool,
        `SELECT 1 FROM inbox WHERE message_id = ANY ($1) AND handler IN ('tell', 'welcome')`,
        [ids],
      );
      return rows.length === ids.length;
    });
  }
  const deadLetters = async () =>
    await query<{ message_id: string; error: string }>(
      around.database.db.pool,
      'SELECT message_id, error FROM dead_letters',
    );

  it('tells the performer of an assignment, in the app and by one e-mail', async () => {
    await around.publish('tasks.task.assigned', assigned());
    const sent = await mail.waitFor(({ to }) => to.includes(ann.email));
    expect(sent.subject).to.equal('Assigned to you: “Paint the fence”');
    const [notification, ...more] = await told(ann);
    expect(more).to.deep.equal([]);
    expect(notification).to.include({
      type: 'task.assigned',
      title: 'A task was assigned to you',
      body: 'Mia assigned “Paint the fence” to you.',
      task_id: task.id,
      read_at: null,
    });
    expect(sent.messageId).to.equal(`<${notification!.id}@taskwire.test>`);
    expect(await told(mia)).to.deep.equal([]);
  });

  const endings: [EventType, (by: StandInUser) => EventPayload<'tasks.task.completed'>, string][] = [
    ['tasks.task.started', (by) => ({ ...fact(by), assigned_to: ann.id }), 'task.started'],
    ['tasks.task.completed', (by) => ({ ...fact(by), assigned_to: ann.id }), 'task.completed'],
  ];
  for (const [event, payload, type] of endings) {
    it(`tells the creator of ${event}, and not the performer who did it`, async () => {
      await around.publish(event, payload(ann));
      await waitFor(async () => (await typesTold(mia)).includes(type));
      expect(await told(ann)).to.deep.equal([]);
    });
  }

  it('tells creator and performer of a cancellation, but not the one who cancelled', async () => {
    const admin = around.others.addUser('Ada', 'admin');
    await around.publish('tasks.task.cancelled', { ...fact(admin), assigned_to: ann.id });
    await waitFor(async () => (await typesTold(mia)).includes('task.cancelled'));
    expect(await typesTold(ann)).to.deep.equal(['task.cancelled']);
    expect(await told(admin)).to.deep.equal([]);
  });

  it('tells both sides of a reassignment by the system', async () => {
    await around.publish('tasks.task.unassigned', { ...fact(null), unassigned_from: ann.id });
    await around.publish('tasks.task.assigned', { ...fact(null), assigned_to: ben.id });
    const [taken, given] = [
      await mail.waitFor(({ to }) => to.includes(ann.email)),
      await mail.waitFor(({ to }) => to.includes(ben.email)),
    ];
    expect(taken.text).to.include('Taskwire took “Paint the fence” from you');
    expect(given.text).to.include('Taskwire assigned “Paint the fence” to you');
  });

  it('does not tell people what they did themselves', async () => {
    await around.publish('tasks.task.assigned', { ...fact(ann), assigned_to: ann.id });
    await around.publish('tasks.task.completed', { ...fact(mia), assigned_to: ann.id });
    await settled();
    expect(await told(ann)).to.deep.equal([]);
    expect(await told(mia)).to.deep.equal([]);
  });

  it('welcomes a new user, once', async () => {
    const payload = { user_id: ann.id, timestamp: new Date().toISOString() };
    const id = await around.publish('auth.user.created', payload);
    await mail.waitFor(({ to }) => to.includes(ann.email));
    await around.publish('auth.user.created', payload, id);
    const duplicate = /inbox_messages_total\{.*handler="welcome",outcome="duplicate".*\} [1-9]/;
    await waitFor(async () => duplicate.test(await service.parts.telemetry.metrics.metrics()));
    expect(await typesTold(ann)).to.deep.equal(['user.welcome']);
    expect(mailsTo(ann).map(({ subject }) => subject)).to.deep.equal(['Welcome to Taskwire']);
  });

  it('makes one notification and one e-mail of an event that comes many times at once', async () => {
    const [payload, id] = [assigned(), randomUUIDv7()];
    await Promise.all(
      Array.from({ length: 5 }, async () => {
        await around.publish('tasks.task.completed', { ...payload, assigned_to: ann.id }, randomUUIDv7());
      }),
    );
    // one id is in flight once at a time for a publisher, so these come one after the other, faster than they are handled
    for (let n = 0; n < 5; n++) await around.publish('tasks.task.assigned', payload, id);
    await settled();
    await mail.waitFor(({ to }) => to.includes(ann.email));
    expect(await typesTold(ann)).to.deep.equal(['task.assigned']);
    await waitFor(async () => (await openDeliveries()) === 0);
    expect(mailsTo(ann)).to.have.length(1);
  });

  it('makes one notification of an event that comes again after the inbox forgot it', async () => {
    const payload = assigned();
    const id = await around.publish('tasks.task.assigned', payload);
    await mail.waitFor(({ to }) => to.includes(ann.email));
    await query(around.database.db.pool, 'DELETE FROM inbox');
    await around.publish('tasks.task.assigned', payload, id);
    await settled();
    expect(await typesTold(ann)).to.deep.equal(['task.assigned']);
    await waitFor(async () => (await openDeliveries()) === 0);
    expect(mailsTo(ann)).to.have.length(1);
  });

  async function openDeliveries(): Promise<number> {
    const rows = await query(around.database.db.pool, 'SELECT 1 FROM deliveries WHERE due_at IS NOT NULL');
    return rows.length;
  }

  it('waits for Tasks when it is down, and completes', async () => {
    around.others.down.add('tasks');
    const id = await around.publish('tasks.task.assigned', assigned());
    await waitFor(async () => (await retried(id)) > 0);
    expect(await told(ann)).to.deep.equal([]);
    around.others.down.clear();
    await retryNow(id, async () => (await typesTold(ann)).length === 1);
    expect(await typesTold(ann)).to.deep.equal(['task.assigned']);
  });

  it('waits for Auth when it is down and the performer is not known, and completes', async () => {
    around.others.down.add('auth');
    const id = await around.publish('tasks.task.assigned', assigned());
    await waitFor(async () => (await retried(id)) > 0);
    around.others.down.clear();
    await retryNow(id, async () => (await typesTold(ann)).length === 1);
    expect(await typesTold(ann)).to.deep.equal(['task.assigned']);
  });

  it('goes on telling people whom it knows while Auth is down', async () => {
    await around.publish('tasks.task.assigned', assigned());
    await mail.waitFor(({ to }) => to.includes(ann.email));
    around.others.down.add('auth');
    const stranger = around.others.addUser('Stranger', 'manager');
    await around.publish('tasks.task.unassigned', { ...fact(stranger), unassigned_from: ann.id });
    const sent = await mail.waitFor(({ to, subject }) => to.includes(ann.email) && subject.startsWith('No longer'));
    expect(sent.text).to.include('Somebody took “Paint the fence” from you');
  });

  async function retried(messageId: string): Promise<number> {
    const [row] = await query<{ attempts: number }>(
      around.database.db.pool,
      'SELECT attempts FROM inbox_retries WHERE message_id = $1',
      [messageId],
    );
    return row?.attempts ?? 0;
  }

  /** Lets the time until the next attempt pass, as often as it takes: the breaker has a say, too. */
  async function retryNow(messageId: string, until: () => Promise<boolean>): Promise<void> {
    await waitFor(
      async () => {
        await query(
          around.database.db.pool,
          'UPDATE inbox_retries SET next_attempt_at = now() WHERE message_id = $1 AND next_attempt_at > now() AND lease IS NULL',
          [messageId],
        );
        await service.parts.inbox.tick();
        return await until();
      },
      { timeoutMs: 15_000 },
    );
  }

  it('asks Tasks once for a storm of events of one task', async () => {
    const asked = () => around.others.requests.filter((request) => request === `GET /tasks/${task.id}`).length;
    const performers = Array.from({ length: 40 }, (_, n) => around.others.addUser(`P${n}`));
    const payloads = performers.map((performer) => assigned(performer));
    for (const payload of payloads) await around.publish('tasks.task.assigned', payload);
    await settled();
    // the state says that it is from after all of them
    expect(Date.parse(task.updatedAt)).to.be.greaterThan(clock);
    expect(asked()).to.be.within(1, 2);
    for (const performer of performers) expect(await typesTold(performer)).to.deep.equal(['task.assigned']);
  });

  it('shows what happened to a task in the order in which it happened, also when the first of it had to wait', async () => {
    around.others.down.add('tasks');
    const first = await around.publish('tasks.task.started', { ...fact(ann), assigned_to: ann.id });
    await waitFor(async () => (await retried(first)) > 0);
    around.others.down.clear();
    const second = await around.publish('tasks.task.completed', { ...fact(ann), assigned_to: ann.id });
    await waitFor(
      async () => {
        await query(
          around.database.db.pool,
          'UPDATE inbox_retries SET next_attempt_at = now() WHERE message_id = ANY ($1) AND next_attempt_at > now() AND lease IS NULL',
          [[first, second]],
        );
        await service.parts.inbox.tick();
        return (await told(mia)).length === 2;
      },
      { timeoutMs: 15_000 },
    );
    expect(await typesTold(mia)).to.deep.equal(['task.completed', 'task.started']);
  });

  it('lets events of types that it does not know pass, and what is not for it', async () => {
    const ids = [
      await around.publishRaw('tasks.comment.added', JSON.stringify({ ...fact(mia), author: mia.id, mentions: [] })),
      await around.publishRaw('tasks.task.exploded', JSON.stringify(fact(mia))),
      await around.publishRaw('tasks.board.item.moved', JSON.stringify({ board_uuid: task.id })),
      await around.publishRaw('auth.user.promoted', JSON.stringify({ user_id: mia.id })),
      await around.publish('tasks.task.created', fact(mia)),
      await around.publish('tasks.task.changed', fact(mia)),
    ];
    await handled(ids);
    expect(await deadLetters()).to.deep.equal([]);
    expect(around.others.requests).not.to.include(`GET /tasks/${task.id}`);
  });

  it('accepts events with fields that it does not know', async () => {
    await around.publishRaw('tasks.task.assigned', JSON.stringify({ ...assigned(), colour: 'red' }));
    await waitFor(async () => (await typesTold(ann)).length === 1);
  });

  it('makes a dead letter of an event that breaks its contract, and goes on with the next', async () => {
    const id = await around.publishRaw('tasks.task.assigned', JSON.stringify({ task_uuid: task.id }));
    await around.publish('tasks.task.assigned', assigned());
    await waitFor(async () => (await typesTold(ann)).length === 1);
    const dead = (await deadLetters()).find(({ message_id }) => message_id === id);
    expect(dead?.error).to.include('assigned_to');
  });

  it('makes a dead letter of an event of a task that Tasks does not know', async () => {
    const unheardOf = { ...assigned(), task_uuid: randomUUIDv7() };
    const id = await around.publish('tasks.task.assigned', unheardOf);
    const dead = await waitFor(async () => (await deadLetters()).find(({ message_id }) => message_id === id));
    expect(dead.error).to.include(unheardOf.task_uuid);
  });

  it('tells of a deleted task what ended, under the title that it had, and not what was to be done', async () => {
    await around.publish('tasks.task.assigned', assigned());
    await waitFor(async () => (await typesTold(ann)).length === 1);
    // the cached state is from before the next event
    await query(around.database.db.pool, `UPDATE task_cache SET fresh_as_of = '2026-11-20T10:00:00Z' WHERE id = $1`, [
      task.id,
    ]);
    around.others.tasks.set(task.id, 'deleted');
    await around.publish('tasks.task.assigned', assigned(ben));
    await around.publish('tasks.task.unassigned', { ...fact(mia), unassigned_from: ann.id });
    await waitFor(async () => (await typesTold(ann)).length === 2);
    expect((await told(ann))[0]!.body).to.include('“Paint the fence”');
    expect(await told(ben)).to.deep.equal([]);
  });

  it('tells nothing of a task that was made and deleted before anybody was told of it', async () => {
    around.others.tasks.set(task.id, 'deleted');
    await handled([
      await around.publish('tasks.task.assigned', assigned()),
      await around.publish('tasks.task.unassigned', { ...fact(mia), unassigned_from: ann.id }),
      await around.publish('tasks.task.cancelled', { ...fact(mia), assigned_to: ann.id }),
    ]);
    expect(await told(ann)).to.deep.equal([]);
  });

  it('tells nothing to a user who was deleted', async () => {
    ann.isDeleted = true;
    await around.publish('tasks.task.assigned', assigned());
    await settled();
    const rows = await query(around.database.db.pool, 'SELECT 1 FROM notifications WHERE user_id = $1', [ann.id]);
    expect(rows).to.deep.equal([]);
  });

  it('keeps a hostile title as the words that it is', async () => {
    task.title = '<img src=x onerror=alert(1)> "quoted" \u202Eevil';
    await around.publish('tasks.task.assigned', assigned());
    const sent = await mail.waitFor(({ to }) => to.includes(ann.email));
    expect(sent.html).not.to.include('<img');
    expect((await told(ann))[0]!.body).to.include(task.title);
  });

  it('counts deliveries and shows what waits', async () => {
    mail.answer(() => ({ code: 451, text: 'later' }));
    await around.publish('tasks.task.assigned', assigned());
    await waitFor(async () => /outcome="again"/.test(String((await service.call('GET', '/metrics')).body)));
    const { body } = await service.call('GET', '/metrics');
    expect(body).to.match(/notifications_deliveries\{channel="email",state="pending",service="notifications"\} 1/);
    expect(body).to.match(
      /notifications_delivery_attempts_total\{channel="email",outcome="sent",service="notifications"\} \d+/,
    );
  });
});
