import { randomUUIDv7 } from 'node:crypto';
import { query } from '@taskwire/postgres';
import { expect } from 'chai';
import type { NotificationType } from '../src/app/notification-types.ts';
import { deleteOldCounts } from '../src/postgres/mail-budget.ts';
import { deliveryHarness, openLink } from './support/delivery-harness.ts';

describe('The budgets of mails', () => {
  const room = deliveryHarness();
  const { loopAt, notify, delivery, outcomes, makeDue } = room;
  let before: number;
  const arrived = () => room.mail.received.length - before;

  beforeEach(() => {
    room.budgets = { perRecipient: { task: 5, link: 3, security: 2, undo: 2 }, perCaller: 8, windowMs: 3_600_000 };
    before = room.mail.received.length;
  });

  const send = async () => {
    const loop = loopAt(room.mail.url);
    while ((await loop.tick()) === 'more');
  };
  const person = (email: string, isEmailVerified = true) => {
    room.person = { kind: 'user', id: randomUUIDv7(), name: 'Ann', email, isEmailVerified };
  };
  const linkTo = (email: string) => {
    room.link = async () => ({ ...openLink, email });
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

  it('let so many mails about tasks through, whoever causes them, and skip the rest with the reason; the app has them all', async () => {
    const ids = await notifyOften(12, 'task.assigned');
    await send();
    expect(await sentOf(ids)).to.equal(5);
    expect(arrived()).to.equal(5);
    const [skipped] = await query<{ count: number; error: string }>(
      room.database.db.pool,
      `SELECT count(*)::integer AS count, min(last_error) AS error FROM deliveries WHERE channel = 'email' AND state = 'skipped'`,
    );
    expect(skipped?.count).to.equal(7);
    expect(skipped?.error).to.equal('over the budget of the recipient, which is 5 mails of this kind');
    const inApp = await query(
      room.database.db.pool,
      `SELECT FROM deliveries WHERE channel = 'in_app' AND state = 'sent'`,
    );
    expect(inApp).to.have.length(12);
  });

  it('are one for all spellings of a mailbox: case and what follows a plus do not count', async () => {
    const ids: string[] = [];
    for (const address of [
      'ann@one.test',
      'ANN@one.test',
      'ann+a@one.test',
      'Ann+b+c@ONE.test',
      'ann+d@one.test',
      'ann+e@one.test',
    ]) {
      person(address);
      ids.push(await notify('task.assigned'));
      await send();
    }
    expect(await states(ids)).to.deep.equal(['sent', 'sent', 'sent', 'sent', 'sent', 'skipped']);
    person('a.nn@one.test');
    const another = await notify('task.assigned');
    await send();
    expect((await delivery(another)).state, 'dots may tell two people apart').to.equal('sent');
  });

  it('bound what one user causes, whoever gets it', async () => {
    const actorId = randomUUIDv7();
    const ids: string[] = [];
    for (let n = 0; n < 10; n++) {
      person(`person-${n}@two.test`);
      ids.push(await notify('task.assigned', { actorId }));
      await send();
    }
    expect(await sentOf(ids)).to.equal(8);
    expect((await delivery(ids[9]!)).last_error).to.equal(
      'over the budget of the user who caused it, which is 8 mails',
    );
    const byAnother = await notify('task.assigned', { actorId: randomUUIDv7() });
    await send();
    expect((await delivery(byAnother)).state).to.equal('sent');
  });

  it('keep room for what an account has to be warned of, however much else was mailed', async () => {
    person('ann@three.test');
    linkTo('ann@three.test');
    const others = [...(await notifyOften(10, 'task.assigned')), ...(await notifyOften(10, 'security.reset_password'))];
    await send();
    expect(await sentOf(others)).to.equal(5 + 3);
    const warning = await notify('security.password_changed');
    await send();
    expect((await delivery(warning)).state).to.equal('sent');
  });

  it('keep room for the link by which an owner takes the account back, however often they were warned before', async () => {
    person('ann@taken.test');
    linkTo('ann.before@taken.test');
    const warnings = await notifyOften(4, 'security.password_changed');
    const undo = await notify('security.email_changed');
    // warnings count for their account
    await query(room.database.db.pool, 'UPDATE notifications SET user_id = $1', [randomUUIDv7()]);
    await send();
    expect(await sentOf(warnings)).to.equal(2);
    expect(await states([undo])).to.deep.equal(['sent']);
    const to = room.mail.received.slice(before).map((mail) => mail.to);
    expect(to.filter((recipients) => recipients.includes('ann.before@taken.test'))).to.have.length(1);
  });

  it('count addresses that nobody has verified apart, so that whoever registers with them takes nothing from their owner', async () => {
    person('ann+stranger@four.test', false);
    linkTo('ann+stranger@four.test');
    const strangers = [
      ...(await notifyOften(5, 'security.verify_email')),
      ...(await notifyOften(5, 'security.reset_password')),
      ...(await notifyOften(5, 'security.password_changed')),
    ];
    await send();
    expect(await sentOf(strangers), 'links together, and warnings').to.equal(3 + 2);
    person('ann@four.test');
    linkTo('ann@four.test');
    const owners = [await notify('security.reset_password'), await notify('security.password_changed')];
    await send();
    expect(await states(owners)).to.deep.equal(['sent', 'sent']);
  });

  it('let the old address of an account know of a new one, whatever others cause at its mailbox', async () => {
    person('ann+stranger@six.test', false);
    linkTo('ann@six.test');
    await notifyOften(3, 'security.verify_email');
    await notifyOften(3, 'security.password_changed');
    // another account moved away from another spelling, often
    const stranger = randomUUIDv7();
    for (let n = 0; n < 3; n++) await notify('security.email_changed', { userId: stranger });
    await send();
    // the account has its new address by now
    person('thief@six.test');
    const warning = await notify('security.email_changed');
    await send();
    expect((await delivery(warning)).state).to.equal('sent');
    expect(arrived(), 'links, warnings of a password, warnings of the other account, this one').to.equal(3 + 2 + 2 + 1);
  });

  it('hold for a link to an address that its account does not have', async () => {
    person('ann@five.test');
    for (let n = 0; n < 5; n++) {
      linkTo(`victim+${n}@five.test`);
      await notify('security.verify_email');
      await send();
    }
    expect(arrived()).to.equal(3);
  });

  it('are exact for many at once, over all replicas', async () => {
    const ids = await notifyOften(30, 'task.assigned', { actorId: randomUUIDv7() });
    const loops = Array.from({ length: 4 }, () => loopAt(room.mail.url));
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
    await query(room.database.db.pool, "UPDATE mail_counts SET planned_at = planned_at - interval '61 minutes'");
    const after = await notifyOften(6, 'task.assigned');
    await send();
    expect([await sentOf(earlier), await sentOf(after)]).to.deep.equal([5, 5]);
  });

  it('go by when a mail was planned, so that what waited for a mail server is not taken for a flood', async () => {
    const ids = await notifyOften(10, 'task.assigned');
    const backdate = `UPDATE deliveries SET created_at = created_at - interval '61 minutes' WHERE notification_id = ANY ($1)`;
    await query(room.database.db.pool, backdate, [ids.slice(0, 5)]);
    await send();
    expect(await sentOf(ids)).to.equal(10);
  });

  it('count a mail once, however often it has to be tried', async () => {
    room.smtp.follow({ end: (nth) => (nth <= 4 ? '451 later' : '250 taken') });
    const tried = await notify('task.assigned');
    for (let round = 0; round < 5; round++) {
      await loopAt(room.smtp.url).tick();
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
    room.smtp.follow({ rcpt: '450 greylisted' });
    await loopAt(room.smtp.url).tick();
    expect(await query(room.database.db.pool, 'SELECT FROM mail_counts'), 'it was counted').to.have.length(1);
    const later = await notify('task.unassigned', { ...about, happenedAt: '2026-01-01T00:00:01.000Z' });
    const more = await notifyOften(4, 'task.assigned');
    await send();
    expect((await delivery(earlier)).state).to.equal('skipped');
    expect(await sentOf([later, ...more])).to.equal(5);
  });

  it('know nobody by an address, and forget what no delivery can need', async () => {
    await notifyOften(3, 'task.assigned');
    await send();
    const rows = await query<{ text: string }>(
      room.database.db.pool,
      'SELECT mail_counts::text AS text FROM mail_counts',
    );
    expect(rows).to.have.length(3);
    for (const { text } of rows) expect(text).not.to.include('@');
    await query(
      room.database.db.pool,
      `UPDATE mail_counts SET planned_at = planned_at - interval '7 days' WHERE delivery_id IN (SELECT delivery_id FROM mail_counts LIMIT 2)`,
    );
    expect(await deleteOldCounts(room.database.db.pool)).to.equal('idle');
    expect(await query(room.database.db.pool, 'SELECT FROM mail_counts')).to.have.length(1);
  });
});

describe('A mail to an address that nobody has verified', () => {
  const room = deliveryHarness();
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
    it(`has no text of who gave the address: ${type}`, async () => {
      room.person = {
        kind: 'user',
        id: randomUUIDv7(),
        name: stranger,
        email: 'victim@taskwire.test',
        isEmailVerified: false,
      };
      room.link = async () => ({ ...openLink, email: 'victim@taskwire.test' });
      await room.notify(type);
      await query(
        room.database.db.pool,
        `UPDATE notifications SET template_data = template_data || jsonb_build_object('recipient', $1::text)`,
        [stranger],
      );
      await room.loopAt(room.smtp.url).tick();
      const [message] = room.smtp.arrived;
      expect(message).to.include('To: victim@taskwire.test').and.include('Hello,');
      expect(message?.replaceAll(/=\r?\n/g, '')).not.to.include(stranger);
    });
  }

  it('is greeted by name once it is verified', async () => {
    room.person = {
      kind: 'user',
      id: randomUUIDv7(),
      name: 'Ann',
      email: 'ann@taskwire.test',
      isEmailVerified: true,
    };
    await room.notify('task.assigned');
    await room.loopAt(room.smtp.url).tick();
    expect(room.smtp.arrived[0]).to.include('To: Ann <ann@taskwire.test>').and.include('Hello Ann,');
  });
});
