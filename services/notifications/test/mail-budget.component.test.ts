import { randomUUIDv7 } from 'node:crypto';
import { query } from '@taskwire/postgres';
import { expect } from 'chai';
import type { NotificationType } from '../src/app/notification-types.ts';
import { deliveryHarness, openLink } from './support/delivery-harness.ts';
import { retentionOf } from './support/retention.ts';

describe('Mail budgets', () => {
  const harness = deliveryHarness();
  const { loopAt, notify, delivery, outcomes, makeDue } = harness;
  let before: number;
  const arrived = () => harness.mail.received.length - before;

  beforeEach(() => {
    harness.budgets = { perRecipient: { task: 5, link: 3, security: 2, undo: 2 }, perCaller: 8, windowMs: 3_600_000 };
    before = harness.mail.received.length;
  });

  const send = async () => {
    const loop = loopAt(harness.mail.url);
    while ((await loop.tick()) === 'more');
  };
  const recipient = (email: string, isEmailVerified = true) => {
    harness.user = { kind: 'user', id: randomUUIDv7(), name: 'Ann', email, isEmailVerified, isLeader: false };
  };
  const linkTo = (email: string) => {
    harness.link = async () => ({ ...openLink, email });
  };
  async function notifyOften(
    times: number,
    type: NotificationType,
    about: { actorId?: string } = {},
  ): Promise<string[]> {
    const ids = [];
    for (let n = 0; n < times; n++) ids.push(await notify(type, about));
    return ids;
  }
  async function states(ids: readonly string[]): Promise<string[]> {
    return await Promise.all(ids.map(async (id) => (await delivery(id)).state));
  }
  const sentOf = async (ids: readonly string[]) => (await states(ids)).filter((state) => state === 'sent').length;

  it('allow a number of task mails from all users together, and skip the rest with the reason; the app has them all', async () => {
    const ids = await notifyOften(12, 'task.assigned');
    await send();
    expect(await sentOf(ids)).to.equal(5);
    expect(arrived()).to.equal(5);
    const [skipped] = await query<{ count: number; error: string }>(
      harness.database.db.pool,
      `SELECT count(*)::integer AS count, min(last_error) AS error FROM deliveries WHERE channel = 'email' AND state = 'skipped'`,
    );
    expect(skipped?.count).to.equal(7);
    expect(skipped?.error).to.equal('over the budget of the recipient, which is 5 mails of this kind');
    const inApp = await query(
      harness.database.db.pool,
      `SELECT FROM deliveries WHERE channel = 'in_app' AND state = 'sent'`,
    );
    expect(inApp).to.have.length(12);
  });

  it('are shared by all spellings of a mailbox: case and anything after a plus sign are ignored', async () => {
    const ids: string[] = [];
    for (const address of [
      'ann@one.test',
      'ANN@one.test',
      'ann+a@one.test',
      'Ann+b+c@ONE.test',
      'ann+d@one.test',
      'ann+e@one.test',
    ]) {
      recipient(address);
      ids.push(await notify('task.assigned'));
      await send();
    }
    expect(await states(ids)).to.deep.equal(['sent', 'sent', 'sent', 'sent', 'sent', 'skipped']);
    recipient('a.nn@one.test');
    const another = await notify('task.assigned');
    await send();
    expect((await delivery(another)).state, 'a dot may distinguish two people').to.equal('sent');
  });

  it('limit the mails that one user causes, across all recipients', async () => {
    const actorId = randomUUIDv7();
    const ids: string[] = [];
    for (let n = 0; n < 10; n++) {
      recipient(`person-${n}@two.test`);
      ids.push(await notify('task.assigned', { actorId }));
      await send();
    }
    expect(await sentOf(ids)).to.equal(8);
    expect((await delivery(ids[9]!)).last_error).to.equal('over the budget of 8 mails of the user who caused it');
    const byAnother = await notify('task.assigned', { actorId: randomUUIDv7() });
    await send();
    expect((await delivery(byAnother)).state).to.equal('sent');
  });

  it('leave room for account warnings, however much else was mailed', async () => {
    recipient('ann@three.test');
    linkTo('ann@three.test');
    const others = [...(await notifyOften(10, 'task.assigned')), ...(await notifyOften(10, 'security.reset_password'))];
    await send();
    expect(await sentOf(others)).to.equal(5 + 3);
    const warning = await notify('security.password_changed');
    await send();
    expect((await delivery(warning)).state).to.equal('sent');
  });

  it('leave room for the link that recovers an account, however often its owner was warned before', async () => {
    recipient('ann@taken.test');
    linkTo('ann.before@taken.test');
    const warnings = await notifyOften(4, 'security.password_changed');
    const undo = await notify('security.email_changed');
    // warnings count per account
    await query(harness.database.db.pool, 'UPDATE notifications SET user_id = $1', [randomUUIDv7()]);
    await send();
    expect(await sentOf(warnings)).to.equal(2);
    expect(await states([undo])).to.deep.equal(['sent']);
    const to = harness.mail.received.slice(before).map((mail) => mail.to);
    expect(to.filter((recipients) => recipients.includes('ann.before@taken.test'))).to.have.length(1);
  });

  it("count unverified addresses separately, so that registering with them uses up nothing of their owner's budget", async () => {
    recipient('ann+stranger@four.test', false);
    linkTo('ann+stranger@four.test');
    const strangers = [
      ...(await notifyOften(5, 'security.verify_email')),
      ...(await notifyOften(5, 'security.reset_password')),
      ...(await notifyOften(5, 'security.password_changed')),
    ];
    await send();
    expect(await sentOf(strangers), 'links together, and warnings').to.equal(3 + 2);
    recipient('ann@four.test');
    linkTo('ann@four.test');
    const owners = [await notify('security.reset_password'), await notify('security.password_changed')];
    await send();
    expect(await states(owners)).to.deep.equal(['sent', 'sent']);
  });

  it('let the warning of a changed address through, however many mails others cause to the mailbox', async () => {
    recipient('ann+stranger@six.test', false);
    linkTo('ann@six.test');
    await notifyOften(3, 'security.verify_email');
    await notifyOften(3, 'security.password_changed');
    // another account has often changed its address from another spelling of this address
    const stranger = randomUUIDv7();
    for (let n = 0; n < 3; n++) await notify('security.email_changed', { userId: stranger });
    await send();
    // the account already has its new address
    recipient('thief@six.test');
    const warning = await notify('security.email_changed');
    await send();
    expect((await delivery(warning)).state).to.equal('sent');
    expect(arrived(), 'links, warnings of a password, warnings of the other account, this one').to.equal(3 + 2 + 2 + 1);
  });

  it('apply to a link for an address that its account does not have', async () => {
    recipient('ann@five.test');
    for (let n = 0; n < 5; n++) {
      linkTo(`victim+${n}@five.test`);
      await notify('security.verify_email');
      await send();
    }
    expect(arrived()).to.equal(3);
  });

  it('are exact for concurrent mails, across all replicas', async () => {
    const ids = await notifyOften(30, 'task.assigned', { actorId: randomUUIDv7() });
    const loops = Array.from({ length: 4 }, () => loopAt(harness.mail.url));
    await Promise.all(
      loops.map(async (loop) => {
        while ((await loop.tick()) === 'more');
      }),
    );
    expect(await sentOf(ids)).to.equal(5);
  });

  it('end with their window', async () => {
    const earlier = await notifyOften(5, 'task.assigned');
    await send();
    await query(harness.database.db.pool, "UPDATE mail_counts SET planned_at = planned_at - interval '61 minutes'");
    const after = await notifyOften(6, 'task.assigned');
    await send();
    expect([await sentOf(earlier), await sentOf(after)]).to.deep.equal([5, 5]);
  });

  it('count a mail at the time it was planned, so that sending a backlog exceeds no budget', async () => {
    const ids = await notifyOften(10, 'task.assigned');
    const backdate = `UPDATE deliveries SET created_at = created_at - interval '61 minutes' WHERE notification_id = ANY ($1)`;
    await query(harness.database.db.pool, backdate, [ids.slice(0, 5)]);
    await send();
    expect(await sentOf(ids)).to.equal(10);
  });

  it('count a mail once, however often it is retried', async () => {
    harness.smtp.follow({ end: (nth) => (nth <= 4 ? '451 later' : '250 taken') });
    const tried = await notify('task.assigned');
    for (let round = 0; round < 5; round++) {
      await loopAt(harness.smtp.url).tick();
      await makeDue();
    }
    expect(await outcomes(tried)).to.deep.equal(['retry', 'retry', 'retry', 'retry', 'sent']);
    const more = await notifyOften(5, 'task.assigned');
    await send();
    expect(await sentOf(more)).to.equal(4);
  });

  it('give back the place of a mail that was counted and is superseded before its handoff', async () => {
    const [userId, taskId] = [randomUUIDv7(), randomUUIDv7()];
    const about = { userId, taskId };
    const earlier = await notify('task.assigned', { ...about, happenedAt: '2026-01-01T00:00:00.000Z' });
    harness.smtp.follow({ rcpt: '450 greylisted' });
    await loopAt(harness.smtp.url).tick();
    expect(await query(harness.database.db.pool, 'SELECT FROM mail_counts'), 'it was counted').to.have.length(1);
    const later = await notify('task.unassigned', { ...about, happenedAt: '2026-01-01T00:00:01.000Z' });
    const more = await notifyOften(4, 'task.assigned');
    await send();
    expect((await delivery(earlier)).state).to.equal('skipped');
    expect(await sentOf([later, ...more])).to.equal(5);
  });

  it('store no address, and delete counts that no delivery still needs', async () => {
    await notifyOften(3, 'task.assigned');
    await send();
    const rows = await query<{ text: string }>(
      harness.database.db.pool,
      'SELECT mail_counts::text AS text FROM mail_counts',
    );
    expect(rows).to.have.length(3);
    for (const { text } of rows) expect(text).not.to.include('@');
    await query(
      harness.database.db.pool,
      `UPDATE mail_counts SET planned_at = planned_at - interval '7 days' WHERE delivery_id IN (SELECT delivery_id FROM mail_counts LIMIT 2)`,
    );
    expect(await retentionOf(harness.database.db).tick()).to.equal('idle');
    expect(await query(harness.database.db.pool, 'SELECT FROM mail_counts')).to.have.length(1);
  });
});

describe('A mail to an unverified address', () => {
  const harness = deliveryHarness();
  const stranger = 'Claim your prize';

  for (const type of [
    'security.verify_email',
    'security.reset_password',
    'security.password_changed',
    'security.confirm_email',
    'security.email_change_requested',
    'security.email_changed',
    'task.assigned',
  ] as const) {
    it(`contains no text by the user who entered the address: ${type}`, async () => {
      harness.user = {
        kind: 'user',
        id: randomUUIDv7(),
        name: stranger,
        email: 'victim@taskwire.test',
        isEmailVerified: false,
        isLeader: false,
      };
      harness.link = async () => ({ ...openLink, email: 'victim@taskwire.test' });
      await harness.notify(type);
      await query(
        harness.database.db.pool,
        `UPDATE notifications SET template_data = template_data || jsonb_build_object('recipient', $1::text)`,
        [stranger],
      );
      await harness.loopAt(harness.smtp.url).tick();
      const [message] = harness.smtp.arrived;
      expect(message).to.include('To: victim@taskwire.test').and.include('Hello,');
      expect(message?.replaceAll(/=\r?\n/g, '')).not.to.include(stranger);
    });
  }

  it('is greeted by name once it is verified', async () => {
    harness.user = {
      kind: 'user',
      id: randomUUIDv7(),
      name: 'Ann',
      email: 'ann@taskwire.test',
      isEmailVerified: true,
      isLeader: false,
    };
    await harness.notify('task.assigned');
    await harness.loopAt(harness.smtp.url).tick();
    expect(harness.smtp.arrived[0]).to.include('To: Ann <ann@taskwire.test>').and.include('Hello Ann,');
  });
});
