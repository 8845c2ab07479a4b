import { expect } from 'chai';
import { eventually, serviceHarness } from './support/service-harness.ts';

describe('Changes of a task while its mail waits', () => {
  const o = serviceHarness();
  const { fact, assigned, mailed, mailsTo } = o;

  type Row = { type: string; state: string; last_error: string | null };
  const deliveries = async () =>
    await o.rows<Row>(
      `SELECT type, state, last_error FROM deliveries JOIN notifications n ON n.id = notification_id
       WHERE channel = 'email' AND user_id = $1 ORDER BY happened_at`,
      [o.ann.id],
    );

  /** Assigns the task to Ann. The server defers her mail. */
  async function deferred(): Promise<void> {
    o.task.assigneeId = o.ann.id;
    let tries = 0;
    o.mail.answer(({ to }) => {
      if (!to.includes(o.ann.email)) return undefined;
      tries += 1;
      return { code: 451, text: 'greylisted' };
    });
    await o.around.publish('tasks.task.assigned', assigned());
    await eventually(async () => tries > 0 && (await deliveries())[0]?.last_error?.includes('greylisted') === true);
  }

  /** Makes the server accept mails, and the deferred mail due. */
  async function retried(): Promise<void> {
    o.mail.answer(() => undefined);
    await o.rows(`UPDATE deliveries SET next_attempt_at = now() WHERE state = 'pending' AND last_error IS NOT NULL`);
    await eventually(async () => (await deliveries()).every(({ state }) => state === 'sent' || state === 'skipped'));
  }

  it('withhold the mail after a deletion of the task', async () => {
    await deferred();
    o.around.others.tasks.set(o.task.id, 'deleted');
    await retried();
    expect(await deliveries()).to.deep.equal([
      { type: 'task.assigned', state: 'skipped', last_error: 'the task was deleted' },
    ]);
    expect(mailsTo(o.ann)).to.deep.equal([]);
  });

  it('withhold the mail after a reassignment, even before its event arrives', async () => {
    await deferred();
    Object.assign(o.task, { assigneeId: o.ben.id, version: 2 });
    await retried();
    expect(await deliveries()).to.deep.equal([
      { type: 'task.assigned', state: 'skipped', last_error: 'the task is assigned to someone else' },
    ]);
  });

  it('update the title in the mail', async () => {
    await deferred();
    Object.assign(o.task, { title: 'Paint the gate', version: 2 });
    await retried();
    expect((await mailed(({ to }) => to.includes(o.ann.email))).subject).to.equal('Assigned to you: “Paint the gate”');
  });

  it('do not delay the mail while Tasks is down: the last known state decides', async () => {
    await deferred();
    o.around.others.down.add('tasks');
    await retried();
    expect(await deliveries()).to.deep.equal([{ type: 'task.assigned', state: 'sent', last_error: null }]);
    const [attempt] = await o.rows<{ detail: string }>(
      `SELECT a.detail FROM delivery_attempts a JOIN deliveries d ON d.id = delivery_id
       JOIN notifications n ON n.id = notification_id WHERE channel = 'email' AND user_id = $1 AND outcome = 'sent'`,
      [o.ann.id],
    );
    expect(attempt?.detail).to.include('decided by the last known state of the task');
  });

  it('do not replace a mail about a comment, and comments do not replace the mail about the task', async () => {
    await deferred();
    const comment = () => ({ comment_uuid: crypto.randomUUID(), author: o.mia.id, mentions: [] });
    for (const _ of [1, 2]) await o.around.publish('tasks.comment.added', { ...fact(o.mia), ...comment() });
    await o.around.publish('tasks.task.cancelled', { ...fact(o.mia), assigned_to: o.ann.id });
    await eventually(async () => (await deliveries()).length === 4);
    await retried();
    const ends = (await deliveries()).map(({ type, state }) => `${type} ${state}`);
    expect(ends).to.have.members([
      ...['task.assigned skipped', 'task.cancelled sent', 'comment.added sent', 'comment.added sent'],
    ]);
  });

  it('replace the mail with the one about the latest event', async () => {
    await deferred();
    Object.assign(o.task, { assigneeId: o.ben.id, version: 2 });
    await o.around.publish('tasks.task.unassigned', { ...fact(o.mia), unassigned_from: o.ann.id });
    await eventually(async () => (await deliveries()).length === 2);
    await retried();
    expect((await deliveries()).map(({ type, state }) => `${type} ${state}`)).to.deep.equal([
      'task.assigned skipped',
      'task.unassigned sent',
    ]);
    expect(mailsTo(o.ann).map(({ subject }) => subject)).to.deep.equal(['Unassigned from you: “Paint the fence”']);
  });
});
