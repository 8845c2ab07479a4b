import { testMail, type TestMail } from '@taskwire/testing';
import { query } from '@taskwire/postgres';
import { expect } from 'chai';
import type { FakeUser } from './support/fake-services.ts';
import { eventually } from './support/service-harness.ts';
import { startService, startSurroundings, type RunningService, type Surroundings } from './support/running-service.ts';

describe('A user who causes events to flood mailboxes', () => {
  let around: Surroundings;
  let mail: TestMail;
  let service: RunningService;
  before(async () => {
    around = await startSurroundings();
    mail = await testMail();
    const budgets = { MAILS_PER_RECIPIENT: 4, ACCOUNT_MAILS_PER_RECIPIENT: 2, MAILS_PER_CALLER: 6 };
    service = await startService(around, { SMTP_URL: mail.url, ...budgets });
  });
  after(async () => {
    await service.stop();
    await mail.stop();
    await around.stop();
  });

  const rows = async <R extends object>(text: string, values: unknown[] = []) =>
    await query<R>(around.database.db.pool, text, values);

  /** Waits until this number of mails to a user are finished. Returns their states. */
  async function ends(user: FakeUser, count: number): Promise<Record<string, number>> {
    const found = await eventually(async () => {
      const states = await rows<{ state: string }>(
        `SELECT state FROM deliveries d JOIN notifications n ON n.id = notification_id
         WHERE channel = 'email' AND state IN ('sent', 'skipped') AND user_id = $1`,
        [user.id],
      );
      return states.length === count && states;
    });
    return Object.fromEntries(
      Object.entries(Object.groupBy(found, ({ state }) => state)).map(([k, v]) => [k, v?.length ?? 0]),
    );
  }

  const mailsTo = (user: FakeUser) => mail.received.filter(({ to }) => to.includes(user.email)).length;

  const inApp = async (user: FakeUser) => {
    const { body } = await service.call('GET', '/api/v1/notifications', { token: await around.others.userToken(user) });
    return (body as { data: unknown[] }).data;
  };

  it('reaches performers with only a few mails by assigning many tasks; the app has all notifications', async () => {
    const [mia, ann] = [around.others.addUser('Mia', 'manager'), around.others.addUser('Ann')];
    const ben = around.others.addUser('Ben');
    for (let n = 0; n < 12; n++) {
      const task = around.others.addTask(mia, 'Paint the fence');
      const fact = { task_uuid: task.id, actor: mia.id, timestamp: new Date(Date.now() + n).toISOString() };
      await around.publish('tasks.task.assigned', { ...fact, assigned_to: n % 2 === 0 ? ann.id : ben.id });
    }
    const [anns, bens] = [await ends(ann, 6), await ends(ben, 6)];
    expect((anns['sent'] ?? 0) + (bens['sent'] ?? 0), 'the mails that one user causes').to.equal(6);
    expect(anns['sent'] ?? 0, 'the mails that one recipient gets').to.be.at.most(4);
    expect(bens['sent'] ?? 0).to.be.at.most(4);
    expect(mailsTo(ann) + mailsTo(ben)).to.equal(6);
    expect(await inApp(ann)).to.have.length(6);
  });

  it('reaches performers with only a few mails by reassigning a task back and forth; the app has all notifications', async () => {
    const [mia, ann] = [around.others.addUser('Mia', 'manager'), around.others.addUser('Ann')];
    const ben = around.others.addUser('Ben');
    const task = around.others.addTask(mia, 'Paint the fence');
    for (let n = 0; n < 10; n++) {
      const [to, from] = n % 2 === 0 ? [ann, ben] : [ben, ann];
      const fact = { task_uuid: task.id, actor: mia.id, timestamp: new Date(Date.now() + n).toISOString() };
      if (n > 0) await around.publish('tasks.task.unassigned', { ...fact, unassigned_from: from.id });
      await around.publish('tasks.task.assigned', { ...fact, assigned_to: to.id });
    }
    // Ann has ten events, and Ben nine
    const [anns, bens] = [await ends(ann, 10), await ends(ben, 9)];
    for (const sent of [anns['sent'] ?? 0, bens['sent'] ?? 0]) expect(sent).to.be.within(1, 4);
    expect(mailsTo(ann) + mailsTo(ben)).to.be.at.most(6);
    expect(await inApp(ann)).to.have.length(10);
  });

  it("cannot hide a changed password by using up the mailbox's budget", async () => {
    const [mia, cas] = [around.others.addUser('Mia', 'manager'), around.others.addUser('Cas')];
    for (let n = 0; n < 6; n++) {
      const task = around.others.addTask(mia, 'Paint the fence');
      const fact = { task_uuid: task.id, actor: mia.id, timestamp: new Date(Date.now() + n).toISOString() };
      await around.publish('tasks.task.assigned', { ...fact, assigned_to: cas.id });
    }
    expect(await ends(cas, 6)).to.deep.equal({ sent: 4, skipped: 2 });
    await around.publish('auth.account.password_changed', { user_id: cas.id, timestamp: new Date().toISOString() });
    await eventually(() => mail.received.some(({ to, subject }) => to.includes(cas.email) && /password/.test(subject)));
  });
});
