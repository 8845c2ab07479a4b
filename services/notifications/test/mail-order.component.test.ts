import { randomUUIDv7 } from 'node:crypto';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import type { NotificationType } from '../src/app/notification-types.ts';
import { writeNotifications } from '../src/postgres/notifications.ts';
import { deliveryHarness } from './support/delivery-harness.ts';

const leaseMs = 15_000;
const superseded = 'superseded by a later notification about the same task';

describe('E-mails to one person about one task', () => {
  const room = deliveryHarness();
  const { loopAt, delivery, outcomes, makeDue } = room;
  let [userId, taskId] = ['', ''];
  let second = 0;
  beforeEach(() => {
    [userId, taskId] = [randomUUIDv7(), randomUUIDv7()];
    second = 0;
  });

  const at = (nth: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, nth)).toISOString();
  /** The next thing that happens to the task. */
  const next = async (type: NotificationType, about: { taskId?: string; userId?: string; happenedAt?: string } = {}) =>
    await room.notify(type, { userId, taskId, happenedAt: at((second += 1)), ...about });
  const state = async (id: string) => (await delivery(id)).state;
  const idsOf = (messages: readonly string[]) => messages.map((one) => /^Message-ID: <(\S+)@/im.exec(one)?.[1]);

  it('are one, the latest, when the earlier ones have not gone out: those are skipped, with the reason', async () => {
    const first = await next('task.assigned');
    room.smtp.follow({ rcpt: '450 greylisted' });
    const loop = loopAt(room.smtp.url);
    await loop.tick();
    expect(await state(first)).to.equal('pending');
    const [taken, last] = [await next('task.unassigned'), await next('task.assigned')];
    for (const id of [first, taken])
      expect(await delivery(id)).to.include({ state: 'skipped', next_attempt_at: null, last_error: superseded });
    room.smtp.follow({});
    await makeDue();
    while ((await loop.tick()) === 'more');
    expect(await state(last)).to.equal('sent');
    expect(idsOf(room.smtp.arrived)).to.deep.equal([last]);
    expect(await outcomes(first)).to.deep.equal(['retry']);
  });

  it('are one also when several are planned in one transaction', async () => {
    const templateData = { task: { id: taskId, title: 'Paint', isDeleted: false }, actor: 'Mia', recipient: 'Ann' };
    const planned = (['task.assigned', 'task.unassigned'] as const).map((type, n) =>
      room.buildNotification({ eventId: randomUUIDv7(), userId, type, actorId: null, happenedAt: at(n), templateData }),
    );
    await room.database.db.transaction(async (tx) => {
      for (const one of planned) await writeNotifications(tx, [one]);
    });
    const states = await query<{ type: string; state: string }>(
      room.database.db.pool,
      `SELECT type, state FROM deliveries JOIN notifications n ON n.id = notification_id WHERE channel = 'email' ORDER BY type`,
    );
    expect(states).to.deep.equal([
      { type: 'task.assigned', state: 'skipped' },
      { type: 'task.unassigned', state: 'pending' },
    ]);
  });

  it('go one at a time: the next waits for the answer to the one before, and other people and tasks do not', async () => {
    const answer = Promise.withResolvers<string>();
    room.smtp.follow({ end: (nth) => (nth === 1 ? answer.promise : '250 taken') });
    const first = await next('task.assigned');
    const sending = loopAt(room.smtp.url).tick();
    await waitFor(() => room.smtp.arrived.length === 1);
    const second = await next('task.unassigned');
    const others = [
      await next('task.assigned', { taskId: randomUUIDv7() }),
      await next('task.assigned', { userId: randomUUIDv7() }),
    ];
    const another = loopAt(room.smtp.url);
    await another.tick();
    expect(await state(first)).to.equal('sending');
    expect(await delivery(second)).to.include({ state: 'pending' });
    expect(await outcomes(second), 'not even claimed').to.deep.equal([]);
    for (const id of others) expect(await state(id)).to.equal('sent');
    answer.resolve('250 taken');
    await sending;
    await another.tick();
    expect([await state(first), await state(second)]).to.deep.equal(['sent', 'sent']);
    expect(idsOf(room.smtp.arrived).filter((id) => id === first || id === second)).to.deep.equal([first, second]);
  });

  it('do not overtake each other when the server defers one at its end: it is superseded by then', async () => {
    const answer = Promise.withResolvers<string>();
    room.smtp.follow({ end: (nth) => (nth === 1 ? answer.promise : '250 taken') });
    const first = await next('task.assigned');
    const loop = loopAt(room.smtp.url);
    const sending = loop.tick();
    await waitFor(() => room.smtp.arrived.length === 1);
    const second = await next('task.unassigned');
    answer.resolve('451 try later');
    await sending;
    await makeDue();
    while ((await loop.tick()) === 'more');
    expect(await delivery(first)).to.include({ state: 'skipped', last_error: superseded });
    expect(await outcomes(first)).to.deep.equal(['retry', 'skipped']);
    expect(idsOf(room.smtp.arrived)).to.deep.equal([first, second]);
  });

  it('are not handed over by a worker that was on its way there when a later one was planned', async () => {
    room.smtp.follow({ data: 'silence' });
    const first = await next('task.assigned');
    const slow = loopAt(room.smtp.url);
    const attempt = slow.tick().catch(() => undefined);
    await waitFor(() => room.smtp.dataCommands() === 1);
    const second = await next('task.unassigned');
    expect(await delivery(first)).to.include({ state: 'skipped', last_error: superseded });
    await loopAt(room.mail.url).tick();
    expect(await state(second)).to.equal('sent');
    await slow.stop();
    await attempt;
    expect(room.smtp.arrived).to.deep.equal([]);
    expect(await outcomes(first)).to.deep.equal(['skipped']);
  });

  it('wait no longer than the lease of a worker that was killed while it sent the one before', async () => {
    const first = await next('task.assigned');
    const [claimed] = await room.log.claim('email', 1, leaseMs);
    await room.log.beginSending(claimed!, leaseMs);
    const second = await next('task.unassigned');
    const loop = loopAt(room.smtp.url);
    await loop.tick();
    expect(await state(second)).to.equal('pending');
    await makeDue();
    await loop.tick();
    expect([await state(first), await state(second)]).to.deep.equal(['unknown', 'sent']);
    expect(idsOf(room.smtp.arrived)).to.deep.equal([second]);
  });

  it('do not wait for a worker that was killed before it sent anything', async () => {
    const first = await next('task.assigned');
    const [claimed] = await room.log.claim('email', 1, leaseMs);
    const second = await next('task.unassigned');
    await loopAt(room.smtp.url).tick();
    expect([await state(first), await state(second)]).to.deep.equal(['skipped', 'sent']);
    expect(await room.log.beginSending(claimed!, leaseMs)).to.equal(false);
    expect(await outcomes(first)).to.deep.equal(['skipped']);
  });

  for (const [how, reaction, end] of [
    ['refused for good', '550 no such mailbox', 'failed'],
    ['taken without an answer', 'cut', 'unknown'],
  ] as const) {
    it(`are not held back by one that was ${how}`, async () => {
      room.smtp.follow({ end: (nth) => (nth === 1 ? reaction : '250 taken') });
      const first = await next('task.assigned');
      const loop = loopAt(room.smtp.url);
      await loop.tick();
      const second = await next('task.unassigned');
      await loop.tick();
      expect([await state(first), await state(second)]).to.deep.equal([end, 'sent']);
    });
  }

  it('leave the last word to what happened last, also when an earlier event is handled after it', async () => {
    const last = await next('task.unassigned', { happenedAt: at(40) });
    const loop = loopAt(room.smtp.url);
    await loop.tick();
    const replayed = await next('task.assigned', { happenedAt: at(20) });
    await loop.tick();
    expect(await delivery(replayed)).to.include({ state: 'skipped', last_error: superseded });
    expect(idsOf(room.smtp.arrived)).to.deep.equal([last]);
  });

  it('are not silenced by an event that is dated in the future', async () => {
    await next('task.assigned', { happenedAt: '2098-01-01T00:00:00.000Z' });
    const loop = loopAt(room.smtp.url);
    await loop.tick();
    const later = await next('task.unassigned', { happenedAt: new Date(Date.now() + 5).toISOString() });
    await loop.tick();
    expect(await state(later)).to.equal('sent');
  });

  it('are not resent behind a later one by an operator who has unknown ones sent again', async () => {
    room.smtp.follow({ end: (nth) => (nth === 1 ? 'cut' : '250 taken') });
    const first = await next('task.assigned');
    const loop = loopAt(room.smtp.url);
    await loop.tick();
    await next('task.unassigned');
    await loop.tick();
    await query(
      room.database.db.pool,
      `UPDATE deliveries SET state = 'pending', next_attempt_at = now() WHERE state = 'unknown'`,
    );
    await loop.tick();
    expect(await delivery(first)).to.include({ state: 'unknown', next_attempt_at: null, last_error: superseded });
    expect(room.smtp.arrived).to.have.length(2);
  });

  it('hold back nothing that is about no task', async () => {
    const ids = [
      await room.notify('security.password_changed', { userId }),
      await room.notify('security.role_changed', { userId }),
    ];
    await loopAt(room.smtp.url).tick();
    for (const id of ids) expect(await state(id)).to.equal('sent');
  });

  it('end in order and with the last, whatever workers, plans and answers get in each other’s way', async () => {
    const chains = Array.from({ length: 4 }, () => ({
      userId: randomUUIDv7(),
      taskId: randomUUIDv7(),
      ids: [] as string[],
    }));
    const chainOf = new Map<string, (typeof chains)[number]>();
    const [being, overlaps]: [Set<unknown>, string[]] = [new Set(), []];
    room.smtp.follow({
      async end(nth) {
        const [id = ''] = idsOf([room.smtp.arrived[nth - 1] ?? '']);
        const chain = await waitFor(() => chainOf.get(id ?? ''));
        if (being.has(chain)) overlaps.push(id);
        being.add(chain);
        // long enough for others to plan and to claim
        await query(room.database.db.pool, 'SELECT pg_sleep($1)', [(nth % 4) / 100]);
        being.delete(chain);
        return nth % 3 === 0 ? '451 try later' : '250 taken';
      },
    });
    let planning = true;
    const work = async () => {
      const loop = loopAt(room.smtp.url);
      while (planning) {
        await loop.tick();
        await makeDuePending();
      }
    };
    const makeDuePending = async () =>
      await query(
        room.database.db.pool,
        `UPDATE deliveries SET next_attempt_at = clock_timestamp() WHERE state = 'pending' AND attempts > 0
         AND NOT EXISTS (SELECT FROM delivery_attempts a WHERE a.delivery_id = deliveries.id AND a.ended_at IS NULL)`,
      );
    const workers = [work(), work()];
    await Promise.all(
      chains.map(async (chain) => {
        for (let nth = 1; nth <= 25; nth++) {
          const id = await room.notify(nth % 2 === 1 ? 'task.assigned' : 'task.unassigned', {
            ...chain,
            happenedAt: at(nth),
          });
          chainOf.set(id, chain);
          chain.ids.push(id);
        }
      }),
    );
    planning = false;
    await Promise.all(workers);
    const last = loopAt(room.smtp.url);
    await waitFor(async () => {
      await makeDuePending();
      await last.tick();
      return (
        (await query(room.database.db.pool, 'SELECT FROM deliveries WHERE next_attempt_at IS NOT NULL')).length === 0
      );
    });
    expect(overlaps).to.deep.equal([]);
    const arrived = idsOf(room.smtp.arrived);
    for (const { ids } of chains) {
      const order = arrived.flatMap((id) => (ids.includes(id ?? '') ? [ids.indexOf(id ?? '')] : []));
      expect(order).to.deep.equal(order.toSorted((a, b) => a - b));
      expect(order.at(-1)).to.equal(ids.length - 1);
      expect(await state(ids.at(-1)!)).to.equal('sent');
    }
  });
});
