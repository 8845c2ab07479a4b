import { expect } from 'chai';
import { deadLetterQuery } from '@taskwire/contracts';
import { dead, retry, type HandlerContext } from '@taskwire/inbox';
import { query } from '@taskwire/postgres';
import type { OutgoingMessage } from '@taskwire/rabbit';
import {
  faultRounds,
  idsOf,
  neverRetry,
  recordEffect,
  retryAtOnce,
  runRetries,
  simulateWork,
  testEvent,
  testEvents,
  testHandler,
  useInboxHarness,
  waitFor,
  type Decide,
} from '@taskwire/testing';

describe('order of the messages of one aggregate', () => {
  const harness = useInboxHarness();

  /** Returns a `decide` that fails for the first message, and records the effect of every other one. */
  function failing(first: () => string | undefined, failure: () => ReturnType<Decide>): Decide {
    return (context) => (context.messageId === first() ? failure() : recordEffect(context));
  }

  it('follows the queue, while other aggregates proceed', async () => {
    let running = 0;
    let most = 0;
    const decide = async (context: HandlerContext) => {
      most = Math.max(most, ++running);
      // a handler takes its time
      await simulateWork(Math.random() * 3);
      running -= 1;
      return recordEffect(context);
    };
    const events = Array.from({ length: 120 }, (_, i) => testEvent({ aggregateId: `a${i % 6}` }));
    await harness.publish(...events);
    await harness.start([testHandler({ decide })]);
    await harness.accepted(...events);
    const effects = await harness.effects();
    for (let a = 0; a < 6; a++) {
      const mine = idsOf(events.filter((_, i) => i % 6 === a));
      expect(effects.filter((id) => mine.includes(id))).to.deep.equal(mine);
    }
    expect(most).to.be.within(2, 6);
  });

  it('is kept through a retry: later messages wait, and follow in order', async () => {
    const events = testEvents(5);
    let broken = true;
    const decide = failing(
      () => (broken ? events[0]?.messageId : undefined),
      () => retry('not now'),
    );
    const inbox = await harness.start([testHandler({ decide })], { limits: neverRetry });
    const other = testEvent({ aggregateId: 'b' });
    await harness.publish(...events, other);
    await harness.accepted(...events, other);
    expect(await harness.effects()).to.deep.equal([other.messageId]);
    broken = false;
    await harness.makeDue();
    await runRetries(inbox);
    expect(await harness.effects()).to.deep.equal([other.messageId, ...idsOf(events)]);
    // the next one is handled at once again
    const next = testEvent();
    await harness.publish(next);
    await harness.accepted(next);
    expect((await harness.effects()).at(-1)).to.equal(next.messageId);
    expect(await harness.rows('inbox_pending')).to.deep.equal([]);
  });

  it('is kept through a restart during a retry', async () => {
    const events = testEvents(4);
    const first = await harness.start([testHandler({ decide: () => retry('not now') })], { limits: neverRetry });
    await harness.publish(...events.slice(0, 2));
    await harness.accepted(...events.slice(0, 2));
    await first.stop();
    await harness.publish(...events.slice(2));
    const second = await harness.start([testHandler()]);
    await harness.accepted(...events);
    expect(await harness.effects()).to.deep.equal([]);
    await harness.makeDue();
    await runRetries(second);
    expect(await harness.effects()).to.deep.equal(idsOf(events));
  });

  it('does not wait for a dead letter, unless the handler requires it', async () => {
    const events = testEvents(3);
    const decide = failing(
      () => events[0]?.messageId,
      () => dead('never'),
    );
    const relaxed = testHandler({ name: 'relaxed', order: 'through_retry', decide });
    const strict = testHandler({ name: 'strict', order: 'through_dead_letters', decide });
    const inbox = await harness.start([relaxed, strict], { limits: neverRetry });
    await harness.publish(...events);
    await harness.accepted(...events);
    await runRetries(inbox);
    await waitFor(async () => (await harness.effects()).length === 2);
    const waiting = await waitFor(async () => {
      const rows = await harness.rows('inbox_pending');
      return rows.length === 3 && rows;
    });
    expect(waiting.map((row) => [row['handler'], row['state']])).to.deep.equal([
      ['strict', 'dead'],
      ['strict', 'waiting'],
      ['strict', 'waiting'],
    ]);
    expect(await harness.rows('dead_letters')).to.have.length(2);
  });

  it('is not kept for a handler without order', async () => {
    const events = testEvents(3);
    const decide = failing(
      () => events[0]?.messageId,
      () => retry('not now'),
    );
    await harness.start([testHandler({ order: 'none', decide })], { limits: neverRetry });
    await harness.publish(...events);
    await harness.accepted(...events);
    expect(new Set(await harness.effects())).to.deep.equal(new Set(idsOf(events.slice(1))));
  });

  it('is kept among processes that retry concurrently', async () => {
    const perKey = 6;
    const keys = ['a', 'b', 'c', 'd'];
    const events = keys.flatMap((key) => testEvents(perKey, key));
    const attempts = new Map<string, number>();
    // every message fails once or twice
    const decide = async (context: HandlerContext) => {
      const count = (attempts.get(context.messageId) ?? 0) + 1;
      attempts.set(context.messageId, count);
      // a handler takes its time
      await simulateWork(Math.random() * 3);
      return count < 2 ? retry('not yet') : recordEffect(context);
    };
    const limits = { backOff: { baseMs: 5, capMs: 5 } };
    const processes = [
      await harness.start([testHandler({ decide })], { limits }),
      await harness.start([testHandler({ decide })], { limits }),
    ];
    await harness.publish(...events);
    await waitFor(
      async () => {
        await Promise.all(processes.map((inbox) => inbox.tick()));
        return (await harness.effects()).length === events.length;
      },
      { timeoutMs: 15_000 },
    );
    const effects = await harness.effects();
    for (const key of keys) {
      const mine = idsOf(events.filter((event) => event.headers['aggregate_id'] === key));
      expect(effects.filter((id) => mine.includes(id))).to.deep.equal(mine);
    }
  });

  it('is kept between a replayed dead letter and a later message that was being handled and failed again', async () => {
    const [first, second] = testEvents(2) as [OutgoingMessage, OutgoingMessage];
    let broken = true;
    const decide = async (context: HandlerContext) => {
      if (context.messageId === first.messageId) return broken ? dead('broken') : recordEffect(context);
      if (context.attempt === 2 && broken) {
        broken = false;
        const { data } = await harness.deadLetters.search(deadLetterQuery.parse({ message_id: first.messageId }));
        await harness.deadLetters.replay(data[0]?.id ?? '', { actor: 'os:olga@desk' });
      }
      return context.attempt < 3 ? retry('not yet') : recordEffect(context);
    };
    const inbox = await harness.start([testHandler({ decide })], { limits: retryAtOnce });
    await harness.publish(first, second);
    await waitFor(async () => {
      await inbox.tick();
      return (await harness.effects()).length === 2;
    });
    expect(await harness.effects()).to.deep.equal(idsOf([first, second]));
  });

  it('is not blocked when a message is recorded as waiting while the previous one is being completed', async () => {
    const { pool } = harness.database.db;
    const decide = failing(
      () => stuck,
      () => retry('not now'),
    );
    let stuck: string | undefined;
    const inbox = await harness.start([testHandler({ decide })], { limits: neverRetry });
    const rounds = faultRounds({ test: 4, drill: 15 });
    for (let round = 0; round < rounds; round++) {
      const [first, ...rest] = testEvents(4);
      if (first === undefined) return;
      stuck = first.messageId;
      await harness.publish(first);
      await harness.accepted(first);
      stuck = undefined;
      await harness.makeDue();
      // the retry completes the first message while later ones arrive
      await Promise.all([inbox.tick(), harness.publish(...rest)]);
      await harness.accepted(...rest);
      await waitFor(async () => (await runRetries(inbox), (await harness.rows('inbox_pending')).length === 0));
      expect((await harness.effects()).slice(-4)).to.deep.equal(idsOf([first, ...rest]));
    }
    expect(await query(pool, 'SELECT FROM effects')).to.have.length(4 * rounds);
  });
});
