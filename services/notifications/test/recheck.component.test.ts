import { randomUUIDv7 } from 'node:crypto';
import { query } from '@taskwire/postgres';
import { expect } from 'chai';
import type { TaskNow } from '../src/app/ports.ts';
import { deliveryHarness } from './support/delivery-harness.ts';

describe('An e-mail that waited', () => {
  const room = deliveryHarness();
  const { loopAt, notify, delivery, outcomes, makeDue } = room;
  let userId = '';
  let asked: number[];

  beforeEach(() => {
    userId = randomUUIDv7();
    asked = [];
  });

  const stands = (now: TaskNow | undefined, doubt: string | null = null) => {
    room.taskNow = async (_id, { recentMs }) => {
      asked.push(recentMs);
      return { now, doubt };
    };
  };
  const assignedTo = (assigneeId: string, title = 'Paint the fence'): TaskNow => ({
    kind: 'task',
    ...{ title, state: 'assigned', assigneeId },
  });
  /** Notifies, and has the first attempt to mail that deferred. */
  async function deferred(...about: Parameters<typeof notify>): Promise<string> {
    const id = await notify(about[0], { userId, ...about[1] });
    room.smtp.follow({ rcpt: '450 greylisted' });
    await loopAt(room.smtp.url).tick();
    room.smtp.follow({});
    await makeDue();
    return id;
  }
  const details = async (id: string) =>
    (
      await query<{ detail: string }>(
        room.database.db.pool,
        "SELECT detail FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery_id AND d.channel = 'email' WHERE notification_id = $1 ORDER BY number",
        [id],
      )
    ).map(({ detail }) => detail);

  const became: [string, () => TaskNow, string][] = [
    ['was deleted', () => ({ kind: 'deleted', title: null }), 'the task was deleted'],
    ['was completed', () => ({ ...assignedTo(userId), state: 'completed' }) as TaskNow, 'the task was completed'],
    ['was cancelled', () => ({ ...assignedTo(userId), state: 'cancelled' }) as TaskNow, 'the task was cancelled'],
    ['went to somebody else', () => assignedTo(randomUUIDv7()), 'the task is assigned to someone else'],
  ];
  for (const [how, now, reason] of became) {
    it(`is skipped, and says why, when its task ${how} in the meantime`, async () => {
      stands(assignedTo(userId));
      const id = await deferred('task.assigned');
      stands(now());
      await loopAt(room.smtp.url).tick();
      expect(await delivery(id)).to.include({ state: 'skipped', next_attempt_at: null, last_error: reason });
      expect(await outcomes(id)).to.deep.equal(['retry', 'skipped']);
      expect(room.smtp.arrived).to.deep.equal([]);
    });
  }

  it('has the title that its task has by now', async () => {
    const id = await deferred('task.assigned');
    stands(assignedTo(userId, 'Paint the gate'));
    await loopAt(room.mail.url).tick();
    const sent = await room.mail.waitFor((one) => one.messageId === `<${id}@taskwire.test>`);
    expect(sent.subject).to.equal('Assigned to you: “Paint the gate”');
    expect(sent.text).to.include('“Paint the gate”').and.not.to.include('fence');
  });

  it('keeps the last known title of a task that was deleted, and links to no task, where its end is still news', async () => {
    const id = await deferred('task.cancelled');
    stands({ kind: 'deleted', title: null });
    await loopAt(room.mail.url).tick();
    const sent = await room.mail.waitFor((one) => one.messageId === `<${id}@taskwire.test>`);
    expect(sent.subject).to.equal('Cancelled: “Paint the fence”');
    expect(sent.text).to.include('Open Taskwire: http://localhost:8080/\n');
  });

  it('is decided by what was known last when Tasks cannot be asked, and the attempt says so', async () => {
    stands(assignedTo(userId), 'tasks failed too often');
    const id = await notify('task.assigned', { userId });
    await loopAt(room.smtp.url).tick();
    expect((await delivery(id)).state).to.equal('sent');
    expect(await details(id)).to.deep.equal([
      '250 taken (decided by what was known of the task: tasks failed too often)',
    ]);
    stands({ kind: 'deleted', title: null }, 'tasks failed too often');
    const another = await notify('task.assigned', { userId });
    await loopAt(room.smtp.url).tick();
    expect(await delivery(another)).to.include({
      state: 'skipped',
      last_error: 'the task was deleted (decided by what was known of the task: tasks failed too often)',
    });
  });

  it('goes out as planned when nothing is known of its task', async () => {
    stands(undefined, 'tasks failed too often');
    const id = await notify('task.assigned', { userId });
    await loopAt(room.smtp.url).tick();
    expect((await delivery(id)).state).to.equal('sent');
  });

  it('may go by what was known a moment ago at its first attempt, and by nothing older than the attempt at each other', async () => {
    stands(assignedTo(userId));
    await deferred('task.assigned');
    await loopAt(room.smtp.url).tick();
    expect(asked).to.deep.equal([2_000, 0]);
  });

  it('is not left out by what was known a moment ago, before Tasks was asked', async () => {
    room.taskNow = async (_id, { recentMs }) => ({
      now: recentMs > 0 ? { kind: 'deleted', title: null } : assignedTo(userId),
      doubt: null,
    });
    const id = await notify('task.assigned', { userId });
    await loopAt(room.smtp.url).tick();
    expect((await delivery(id)).state).to.equal('sent');
  });

  it('asks about no task where there is none', async () => {
    stands(undefined);
    room.taskNow = async () => await Promise.reject(new Error('there is no task'));
    await query(room.database.db.pool, 'TRUNCATE notifications CASCADE');
    const id = await notify('security.password_changed', { userId });
    await query(
      room.database.db.pool,
      `UPDATE notifications SET template_data = jsonb_set(template_data, '{task}', 'null')`,
    );
    await loopAt(room.smtp.url).tick();
    expect((await delivery(id)).state).to.equal('sent');
  });

  it('is no longer tried when its deletion is learnt while the server is away', async () => {
    stands(assignedTo(userId));
    const ids = [await notify('task.assigned', { userId }), await notify('task.assigned', { userId })];
    const away = loopAt('smtp://127.0.0.1:1');
    await away.tick().catch(() => undefined);
    stands({ kind: 'deleted', title: null });
    // what is skipped does not count as a sign that the server is back, so one is tried at a time
    expect(await away.tick()).to.equal('more');
    expect((await Promise.all(ids.map(delivery))).map(({ state }) => state)).to.have.members(['pending', 'skipped']);
    expect(await away.tick()).to.equal('more');
    for (const id of ids) expect((await delivery(id)).state).to.equal('skipped');
  });
});
