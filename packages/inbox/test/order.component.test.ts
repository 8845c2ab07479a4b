import { expect } from 'chai';
import { deadLetterQuery } from '@taskwire/contracts';
import { createDeadLetters, dead, retry, type HandlerContext, type Inbox } from '@taskwire/inbox';
import { query } from '@taskwire/postgres';
import type { OutgoingMessage } from '@taskwire/rabbit';
import { simulateWork, waitFor } from '@taskwire/testing';
import {
  aHandler,
  anEvent,
  atOnce,
  createBench,
  never,
  noteEffect,
  someEvents,
  type Bench,
  type Decide,
} from './bench.ts';

const idsOf = (events: OutgoingMessage[]): string[] => events.map((event) => event.messageId);

describe('order of the messages of one aggregate', () => {
  let bench: Bench;
  beforeEach(async () => (bench = await createBench()));
  afterEach(async () => await bench.drop());

  /** Everything that is due, until nothing is. */
  async function runRetries(inbox: Inbox): Promise<void> {
    while ((await inbox.tick()) === 'more');
  }

  /** The first message fails until it is let go. */
  function failing(first: () => string | undefined, failure: () => ReturnType<Decide>): Decide {
    return (context) => (context.messageId === first() ? failure() : noteEffect(context));
  }

  it('is that of the queue, while other aggregates go ahead', async () => {
    let running = 0;
    let most = 0;
    const decide = async (context: HandlerContext) => {
      most = Math.max(most, ++running);
      // a handler takes its time
      await simulateWork(Math.random() * 3);
      running -= 1;
      return noteEffect(context);
    };
    const events = Array.from({ length: 120 }, (_, i) => anEvent({ aggregateId: `a${i % 6}` }));
    await bench.publish(...events);
    await bench.start([aHandler({ decide })]);
    await bench.taken(...events);
    const effects = await bench.effects();
    for (let a = 0; a < 6; a++) {
      const mine = idsOf(events.filter((_, i) => i % 6 === a));
      expect(effects.filter((id) => mine.includes(id))).to.deep.equal(mine);
    }
    expect(most).to.be.within(2, 6);
  });

  it('holds through a retry: those behind wait, and follow in order', async () => {
    const events = someEvents(5);
    let broken = true;
    const decide = failing(
      () => (broken ? events[0]?.messageId : undefined),
      () => retry('not now'),
    );
    const inbox = await bench.start([aHandler({ decide })], { limits: never });
    const other = anEvent({ aggregateId: 'b' });
    await bench.publish(...events, other);
    await bench.taken(...events, other);
    expect(await bench.effects()).to.deep.equal([other.messageId]);
    broken = false;
    await bench.makeDue();
    await runRetries(inbox);
    expect(await bench.effects()).to.deep.equal([other.messageId, ...idsOf(events)]);
    // and the next one takes the short way again
    const next = anEvent();
    await bench.publish(next);
    await bench.taken(next);
    expect((await bench.effects()).at(-1)).to.equal(next.messageId);
    expect(await bench.rows('inbox_retries')).to.deep.equal([]);
  });

  it('holds through a restart in the middle of a retry', async () => {
    const events = someEvents(4);
    const first = await bench.start([aHandler({ decide: () => retry('not now') })], { limits: never });
    await bench.publish(...events.slice(0, 2));
    await bench.taken(...events.slice(0, 2));
    await first.stop();
    await bench.publish(...events.slice(2));
    const second = await bench.start([aHandler()]);
    await bench.taken(...events);
    expect(await bench.effects()).to.deep.equal([]);
    await bench.makeDue();
    await runRetries(second);
    expect(await bench.effects()).to.deep.equal(idsOf(events));
  });

  it('does not wait for a dead message, unless the handler asks for that', async () => {
    const events = someEvents(3);
    const decide = failing(
      () => events[0]?.messageId,
      () => dead('never'),
    );
    const relaxed = aHandler({ name: 'relaxed', order: 'through_retry', decide });
    const strict = aHandler({ name: 'strict', order: 'through_dead_letters', decide });
    const inbox = await bench.start([relaxed, strict], { limits: never });
    await bench.publish(...events);
    await bench.taken(...events);
    await runRetries(inbox);
    await waitFor(async () => (await bench.effects()).length === 2);
    const waiting = await waitFor(async () => {
      const rows = await bench.rows('inbox_retries');
      return rows.length === 3 && rows;
    });
    expect(waiting.map((row) => [row['handler'], row['state']])).to.deep.equal([
      ['strict', 'dead'],
      ['strict', 'waiting'],
      ['strict', 'waiting'],
    ]);
    expect(await bench.rows('dead_letters')).to.have.length(2);
  });

  it('is given up where the handler asks for none', async () => {
    const events = someEvents(3);
    const decide = failing(
      () => events[0]?.messageId,
      () => retry('not now'),
    );
    await bench.start([aHandler({ order: 'none', decide })], { limits: never });
    await bench.publish(...events);
    await bench.taken(...events);
    expect(new Set(await bench.effects())).to.deep.equal(new Set(idsOf(events.slice(1))));
  });

  it('holds among processes that retry side by side', async () => {
    const perKey = 6;
    const keys = ['a', 'b', 'c', 'd'];
    const events = keys.flatMap((key) => someEvents(perKey, key));
    const attempts = new Map<string, number>();
    // every message fails once or twice
    const decide = async (context: HandlerContext) => {
      const count = (attempts.get(context.messageId) ?? 0) + 1;
      attempts.set(context.messageId, count);
      // a handler takes its time
      await simulateWork(Math.random() * 3);
      return count < 2 ? retry('not yet') : noteEffect(context);
    };
    const limits = { backOff: { baseMs: 5, capMs: 5 } };
    const processes = [
      await bench.start([aHandler({ decide })], { limits }),
      await bench.start([aHandler({ decide })], { limits }),
    ];
    await bench.publish(...events);
    await waitFor(
      async () => {
        await Promise.all(processes.map((inbox) => inbox.tick()));
        return (await bench.effects()).length === events.length;
      },
      { timeoutMs: 15_000 },
    );
    const effects = await bench.effects();
    for (const key of keys) {
      const mine = idsOf(events.filter((event) => event.headers['aggregate_id'] === key));
      expect(effects.filter((id) => mine.includes(id))).to.deep.equal(mine);
    }
  });

  it('is that of a dead letter and one behind it, which was at work when that was replayed, and failed again', async () => {
    const deadLetters = createDeadLetters({ db: bench.database.db });
    const [first, second] = someEvents(2) as [OutgoingMessage, OutgoingMessage];
    let broken = true;
    const decide = async (context: HandlerContext) => {
      if (context.messageId === first.messageId) return broken ? dead('broken') : noteEffect(context);
      if (context.attempt === 2 && broken) {
        broken = false;
        const { data } = await deadLetters.search(deadLetterQuery.parse({ message_id: first.messageId }));
        await deadLetters.replay(data[0]?.id ?? '', { actor: 'os:olga@desk' });
      }
      return context.attempt < 3 ? retry('not yet') : noteEffect(context);
    };
    const inbox = await bench.start([aHandler({ decide })], { limits: atOnce });
    await bench.publish(first, second);
    await waitFor(async () => {
      await inbox.tick();
      return (await bench.effects()).length === 2;
    });
    expect(await bench.effects()).to.deep.equal(idsOf([first, second]));
  });

  it('does not get stuck when a message is recorded as waiting while the one before is being settled', async () => {
    const { pool } = bench.database.db;
    const decide = failing(
      () => stuck,
      () => retry('not now'),
    );
    let stuck: string | undefined;
    const inbox = await bench.start([aHandler({ decide })], { limits: never });
    for (let round = 0; round < 15; round++) {
      const [first, ...rest] = someEvents(4);
      if (first === undefined) return;
      stuck = first.messageId;
      await bench.publish(first);
      await bench.taken(first);
      stuck = undefined;
      await bench.makeDue();
      // the retry settles the first message just as its followers come in
      await Promise.all([inbox.tick(), bench.publish(...rest)]);
      await bench.taken(...rest);
      await waitFor(async () => (await runRetries(inbox), (await bench.rows('inbox_retries')).length === 0));
      expect((await bench.effects()).slice(-4)).to.deep.equal(idsOf([first, ...rest]));
    }
    expect(await query(pool, 'SELECT FROM effects')).to.have.length(60);
  });
});
