import { randomUUIDv7 } from 'node:crypto';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import type { NotificationType } from '../src/app/notification-types.ts';
import { notificationsAtCommit, writeNotifications } from '../src/postgres/notifications.ts';
import { deliveryHarness } from './support/delivery-harness.ts';

const leaseMs = 15_000;
const superseded = 'superseded by a later notification about the same task';

describe('E-mails to one user about one task', () => {
  const harness = deliveryHarness();
  const { loopAt, delivery, outcomes, makeDue } = harness;
  let [userId, taskId] = ['', ''];
  let second = 0;
  beforeEach(() => {
    [userId, taskId] = [randomUUIDv7(), randomUUIDv7()];
    second = 0;
  });

  const at = (nth: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, nth)).toISOString();
  /** Writes the notification of the next event of the task. */
  const next = async (type: NotificationType, about: { taskId?: string; userId?: string; happenedAt?: string } = {}) =>
    await harness.notify(type, { userId, taskId, happenedAt: at((second += 1)), ...about });
  const state = async (id: string) => (await delivery(id)).state;
  const idsOf = (messages: readonly string[]) => messages.map((one) => /^Message-ID: <(\S+)@/im.exec(one)?.[1]);

  it('are reduced to the latest while earlier ones wait: those are skipped, with the reason', async () => {
    const first = await next('task.assigned');
    harness.smtp.follow({ rcpt: '450 greylisted' });
    const loop = loopAt(harness.smtp.url);
    await loop.tick();
    expect(await state(first)).to.equal('pending');
    const [taken, last] = [await next('task.unassigned'), await next('task.assigned')];
    for (const id of [first, taken])
      expect(await delivery(id)).to.include({ state: 'skipped', next_attempt_at: null, last_error: superseded });
    harness.smtp.follow({});
    await makeDue();
    while ((await loop.tick()) === 'more');
    expect(await state(last)).to.equal('sent');
    expect(idsOf(harness.smtp.arrived)).to.deep.equal([last]);
    expect(await outcomes(first)).to.deep.equal(['retry']);
  });

  const writers = {
    'one after the other': writeNotifications,
    together: notificationsAtCommit(() => undefined),
  };
  for (const [how, write] of Object.entries(writers)) {
    it(`are reduced to the latest even when several are planned in one transaction, ${how}`, async () => {
      const templateData = { task: { id: taskId, title: 'Paint', isDeleted: false }, actor: 'Mia', recipient: 'Ann' };
      const planned = (['task.assigned', 'task.unassigned'] as const).map((type, n) =>
        harness.buildNotification({
          eventId: randomUUIDv7(),
          userId,
          type,
          actorId: null,
          happenedAt: at(n),
          templateData,
        }),
      );
      await harness.database.db.transaction(async (tx) => {
        for (const one of planned) await write(tx, [one]);
      });
      const states = await query<{ type: string; state: string }>(
        harness.database.db.pool,
        `SELECT type, state FROM deliveries JOIN notifications n ON n.id = notification_id WHERE channel = 'email' ORDER BY type`,
      );
      expect(states).to.deep.equal([
        { type: 'task.assigned', state: 'skipped' },
        { type: 'task.unassigned', state: 'pending' },
      ]);
    });
  }

  it('are sent one at a time: the next waits for the response to the previous one, other users and tasks do not', async () => {
    const answer = Promise.withResolvers<string>();
    harness.smtp.follow({ end: (nth) => (nth === 1 ? answer.promise : '250 taken') });
    const first = await next('task.assigned');
    const sending = loopAt(harness.smtp.url).tick();
    await waitFor(() => harness.smtp.arrived.length === 1);
    const second = await next('task.unassigned');
    const others = [
      await next('task.assigned', { taskId: randomUUIDv7() }),
      await next('task.assigned', { userId: randomUUIDv7() }),
    ];
    const another = loopAt(harness.smtp.url);
    await another.tick();
    expect(await state(first)).to.equal('sending');
    expect(await delivery(second)).to.include({ state: 'pending' });
    expect(await outcomes(second), 'not even claimed').to.deep.equal([]);
    for (const id of others) expect(await state(id)).to.equal('sent');
    answer.resolve('250 taken');
    await sending;
    await another.tick();
    expect([await state(first), await state(second)]).to.deep.equal(['sent', 'sent']);
    expect(idsOf(harness.smtp.arrived).filter((id) => id === first || id === second)).to.deep.equal([first, second]);
  });

  it('do not overtake each other when the server defers one after its data: the deferred one is superseded by then', async () => {
    const answer = Promise.withResolvers<string>();
    harness.smtp.follow({ end: (nth) => (nth === 1 ? answer.promise : '250 taken') });
    const first = await next('task.assigned');
    const loop = loopAt(harness.smtp.url);
    const sending = loop.tick();
    await waitFor(() => harness.smtp.arrived.length === 1);
    const second = await next('task.unassigned');
    answer.resolve('451 try later');
    await sending;
    await makeDue();
    while ((await loop.tick()) === 'more');
    expect(await delivery(first)).to.include({ state: 'skipped', last_error: superseded });
    expect(await outcomes(first)).to.deep.equal(['retry', 'skipped']);
    expect(idsOf(harness.smtp.arrived)).to.deep.equal([first, second]);
  });

  it('are not handed off by a worker that was preparing one when a later one was planned', async () => {
    harness.smtp.follow({ data: 'silence' });
    const first = await next('task.assigned');
    const slow = loopAt(harness.smtp.url);
    const attempt = slow.tick().catch(() => undefined);
    await waitFor(() => harness.smtp.dataCommands() === 1);
    const second = await next('task.unassigned');
    expect(await delivery(first)).to.include({ state: 'skipped', last_error: superseded });
    await loopAt(harness.mail.url).tick();
    expect(await state(second)).to.equal('sent');
    await slow.stop();
    await attempt;
    expect(harness.smtp.arrived).to.deep.equal([]);
    expect(await outcomes(first)).to.deep.equal(['skipped']);
  });

  it('wait no longer than the lease of a worker that was killed while sending the previous one', async () => {
    const first = await next('task.assigned');
    const [claimed] = await harness.log.claim('email', 1, leaseMs);
    await harness.log.beginSending(claimed!, leaseMs);
    const second = await next('task.unassigned');
    const loop = loopAt(harness.smtp.url);
    await loop.tick();
    expect(await state(second)).to.equal('pending');
    await makeDue();
    await loop.tick();
    expect([await state(first), await state(second)]).to.deep.equal(['unknown', 'sent']);
    expect(idsOf(harness.smtp.arrived)).to.deep.equal([second]);
  });

  it('do not wait for a worker that was killed before sending anything', async () => {
    const first = await next('task.assigned');
    const [claimed] = await harness.log.claim('email', 1, leaseMs);
    const second = await next('task.unassigned');
    await loopAt(harness.smtp.url).tick();
    expect([await state(first), await state(second)]).to.deep.equal(['skipped', 'sent']);
    expect(await harness.log.beginSending(claimed!, leaseMs)).to.equal(false);
    expect(await outcomes(first)).to.deep.equal(['skipped']);
  });

  for (const [how, reaction, end] of [
    ['refused permanently', '550 no such mailbox', 'failed'],
    ['accepted without a response', 'cut', 'unknown'],
  ] as const) {
    it(`are not blocked by one that was ${how}`, async () => {
      harness.smtp.follow({ end: (nth) => (nth === 1 ? reaction : '250 taken') });
      const first = await next('task.assigned');
      const loop = loopAt(harness.smtp.url);
      await loop.tick();
      const second = await next('task.unassigned');
      await loop.tick();
      expect([await state(first), await state(second)]).to.deep.equal([end, 'sent']);
    });
  }

  it('end with the latest event, even if an earlier one is handled after it', async () => {
    const last = await next('task.unassigned', { happenedAt: at(40) });
    const loop = loopAt(harness.smtp.url);
    await loop.tick();
    const replayed = await next('task.assigned', { happenedAt: at(20) });
    await loop.tick();
    expect(await delivery(replayed)).to.include({ state: 'skipped', last_error: superseded });
    expect(idsOf(harness.smtp.arrived)).to.deep.equal([last]);
  });

  it('are not suppressed by an event dated in the future', async () => {
    await next('task.assigned', { happenedAt: '2098-01-01T00:00:00.000Z' });
    const loop = loopAt(harness.smtp.url);
    await loop.tick();
    const later = await next('task.unassigned', { happenedAt: new Date(Date.now() + 5).toISOString() });
    await loop.tick();
    expect(await state(later)).to.equal('sent');
  });

  it('are not resent after a later one when an operator resends unknown ones', async () => {
    harness.smtp.follow({ end: (nth) => (nth === 1 ? 'cut' : '250 taken') });
    const first = await next('task.assigned');
    const loop = loopAt(harness.smtp.url);
    await loop.tick();
    await next('task.unassigned');
    await loop.tick();
    await query(
      harness.database.db.pool,
      `UPDATE deliveries SET state = 'pending', next_attempt_at = now() WHERE state = 'unknown'`,
    );
    await loop.tick();
    expect(await delivery(first)).to.include({ state: 'unknown', next_attempt_at: null, last_error: superseded });
    expect(harness.smtp.arrived).to.have.length(2);
  });

  it('block nothing that is not about a task', async () => {
    const ids = [
      await harness.notify('security.password_changed', { userId }),
      await harness.notify('security.role_changed', { userId }),
    ];
    await loopAt(harness.smtp.url).tick();
    for (const id of ids) expect(await state(id)).to.equal('sent');
  });

  it('arrive in order and end with the latest, however workers, plans and responses interleave', async () => {
    const chains = Array.from({ length: 4 }, () => ({
      userId: randomUUIDv7(),
      taskId: randomUUIDv7(),
      ids: [] as string[],
    }));
    const chainOf = new Map<string, (typeof chains)[number]>();
    const [being, overlaps]: [Set<unknown>, string[]] = [new Set(), []];
    harness.smtp.follow({
      async end(nth) {
        const [id = ''] = idsOf([harness.smtp.arrived[nth - 1] ?? '']);
        const chain = await waitFor(() => chainOf.get(id ?? ''));
        if (being.has(chain)) overlaps.push(id);
        being.add(chain);
        // long enough for other workers to plan and claim
        await query(harness.database.db.pool, 'SELECT pg_sleep($1)', [(nth % 4) / 100]);
        being.delete(chain);
        return nth % 3 === 0 ? '451 try later' : '250 taken';
      },
    });
    let planning = true;
    const work = async () => {
      const loop = loopAt(harness.smtp.url);
      while (planning) {
        await loop.tick();
        await makeDuePending();
      }
    };
    const makeDuePending = async () =>
      await query(
        harness.database.db.pool,
        `UPDATE deliveries SET next_attempt_at = clock_timestamp() WHERE state = 'pending' AND attempts > 0
         AND NOT EXISTS (SELECT FROM delivery_attempts a WHERE a.delivery_id = deliveries.id AND a.ended_at IS NULL)`,
      );
    const workers = [work(), work()];
    await Promise.all(
      chains.map(async (chain) => {
        for (let nth = 1; nth <= 25; nth++) {
          const id = await harness.notify(nth % 2 === 1 ? 'task.assigned' : 'task.unassigned', {
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
    const last = loopAt(harness.smtp.url);
    await waitFor(async () => {
      await makeDuePending();
      await last.tick();
      return (
        (await query(harness.database.db.pool, 'SELECT FROM deliveries WHERE next_attempt_at IS NOT NULL')).length === 0
      );
    });
    expect(overlaps).to.deep.equal([]);
    const arrived = idsOf(harness.smtp.arrived);
    for (const { ids } of chains) {
      const order = arrived.flatMap((id) => (ids.includes(id ?? '') ? [ids.indexOf(id ?? '')] : []));
      expect(order).to.deep.equal(order.toSorted((a, b) => a - b));
      expect(order.at(-1)).to.equal(ids.length - 1);
      expect(await state(ids.at(-1)!)).to.equal('sent');
    }
  });
});
