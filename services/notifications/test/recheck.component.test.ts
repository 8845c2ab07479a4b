import { randomUUIDv7 } from 'node:crypto';
import { query } from '@taskwire/postgres';
import { expect } from 'chai';
import type { TaskNow } from '../src/app/ports.ts';
import { deliveryHarness } from './support/delivery-harness.ts';

describe('A waiting e-mail', () => {
  const harness = deliveryHarness();
  const { loopAt, notify, delivery, outcomes, makeDue } = harness;
  let userId = '';
  let asked: number[];

  beforeEach(() => {
    userId = randomUUIDv7();
    asked = [];
  });

  const taskIs = (now: TaskNow | undefined, uncertainty: string | null = null) => {
    harness.taskNow = async (_id, { recentMs }) => {
      asked.push(recentMs);
      return { now, uncertainty };
    };
  };
  const assignedTo = (assigneeId: string, title = 'Paint the fence'): TaskNow => ({
    kind: 'task',
    ...{ title, state: 'assigned', assigneeId, readers: null },
  });
  /** Writes a notification, and makes the mail server defer the first attempt. */
  async function deferred(...about: Parameters<typeof notify>): Promise<string> {
    const id = await notify(about[0], { userId, ...about[1] });
    harness.smtp.follow({ rcpt: '450 greylisted' });
    await loopAt(harness.smtp.url).tick();
    harness.smtp.follow({});
    await makeDue();
    return id;
  }
  const details = async (id: string) =>
    (
      await query<{ detail: string }>(
        harness.database.db.pool,
        "SELECT detail FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery_id AND d.channel = 'email' WHERE notification_id = $1 ORDER BY number",
        [id],
      )
    ).map(({ detail }) => detail);

  const became: [string, () => TaskNow, string][] = [
    ['was deleted', () => ({ kind: 'deleted', title: null, readers: null }), 'the task was deleted'],
    ['was completed', () => ({ ...assignedTo(userId), state: 'completed' }) as TaskNow, 'the task was completed'],
    ['was cancelled', () => ({ ...assignedTo(userId), state: 'cancelled' }) as TaskNow, 'the task was cancelled'],
    [
      'moved to a project of others',
      () => ({ ...assignedTo(userId), readers: [] }),
      'the recipient may no longer read the task',
    ],
    ['been assigned to someone else', () => assignedTo(randomUUIDv7()), 'the task is assigned to someone else'],
  ];
  for (const [how, now, reason] of became) {
    it(`is skipped, with the reason, if its task has since ${how}`, async () => {
      taskIs(assignedTo(userId));
      const id = await deferred('task.assigned');
      taskIs(now());
      await loopAt(harness.smtp.url).tick();
      expect(await delivery(id)).to.include({ state: 'skipped', next_attempt_at: null, last_error: reason });
      expect(await outcomes(id)).to.deep.equal(['retry', 'skipped']);
      expect(harness.smtp.arrived).to.deep.equal([]);
    });
  }

  it('has the current title of its task', async () => {
    const id = await deferred('task.assigned');
    taskIs(assignedTo(userId, 'Paint the gate'));
    await loopAt(harness.mail.url).tick();
    const sent = await harness.mail.waitFor((one) => one.messageId === `<${id}@taskwire.test>`);
    expect(sent.subject).to.equal('Assigned to you: “Paint the gate”');
    expect(sent.text).to.include('“Paint the gate”').and.not.to.include('fence');
  });

  it('keeps the last known title of a deleted task, without a link to it, if its end is still reported', async () => {
    const id = await deferred('task.cancelled');
    taskIs({ kind: 'deleted', title: null, readers: null });
    await loopAt(harness.mail.url).tick();
    const sent = await harness.mail.waitFor((one) => one.messageId === `<${id}@taskwire.test>`);
    expect(sent.subject).to.equal('Cancelled: “Paint the fence”');
    expect(sent.text).to.include('Open Taskwire: http://localhost:8080/\n');
  });

  it('is decided by the last known state while Tasks is unavailable, and the attempt log says so', async () => {
    taskIs(assignedTo(userId), 'tasks failed too often');
    const id = await notify('task.assigned', { userId });
    await loopAt(harness.smtp.url).tick();
    expect((await delivery(id)).state).to.equal('sent');
    expect(await details(id)).to.deep.equal([
      '250 taken (decided by the last known state of the task: tasks failed too often)',
    ]);
    taskIs({ kind: 'deleted', title: null, readers: null }, 'tasks failed too often');
    const another = await notify('task.assigned', { userId });
    await loopAt(harness.smtp.url).tick();
    expect(await delivery(another)).to.include({
      state: 'skipped',
      last_error: 'the task was deleted (decided by the last known state of the task: tasks failed too often)',
    });
  });

  it('is sent as planned if nothing is known of its task', async () => {
    taskIs(undefined, 'tasks failed too often');
    const id = await notify('task.assigned', { userId });
    await loopAt(harness.smtp.url).tick();
    expect((await delivery(id)).state).to.equal('sent');
  });

  it('may rely on a recent response at its first attempt, and queries Tasks at every later one', async () => {
    taskIs(assignedTo(userId));
    await deferred('task.assigned');
    await loopAt(harness.smtp.url).tick();
    expect(asked).to.deep.equal([2_000, 0]);
  });

  it('is not skipped because of a recent response before Tasks is queried', async () => {
    harness.taskNow = async (_id, { recentMs }) => ({
      now: recentMs > 0 ? { kind: 'deleted', title: null, readers: null } : assignedTo(userId),
      uncertainty: null,
    });
    const id = await notify('task.assigned', { userId });
    await loopAt(harness.smtp.url).tick();
    expect((await delivery(id)).state).to.equal('sent');
  });

  it('does not query Tasks if it is not about a task', async () => {
    taskIs(undefined);
    harness.taskNow = async () => await Promise.reject(new Error('there is no task'));
    await query(harness.database.db.pool, 'TRUNCATE notifications CASCADE');
    const id = await notify('security.password_changed', { userId });
    await query(
      harness.database.db.pool,
      `UPDATE notifications SET template_data = jsonb_set(template_data, '{task}', 'null')`,
    );
    await loopAt(harness.smtp.url).tick();
    expect((await delivery(id)).state).to.equal('sent');
  });

  it('is not retried once its task is known to be deleted, while the server is unavailable', async () => {
    taskIs(assignedTo(userId));
    const ids = [await notify('task.assigned', { userId }), await notify('task.assigned', { userId })];
    const unavailable = loopAt('smtp://127.0.0.1:1');
    await unavailable.tick().catch(() => undefined);
    taskIs({ kind: 'deleted', title: null, readers: null });
    // a skipped delivery doesn't show that the server is back, so the loop still probes one at a time
    expect(await unavailable.tick()).to.equal('more');
    expect((await Promise.all(ids.map(delivery))).map(({ state }) => state)).to.have.members(['pending', 'skipped']);
    expect(await unavailable.tick()).to.equal('more');
    for (const id of ids) expect((await delivery(id)).state).to.equal('skipped');
  });
});
