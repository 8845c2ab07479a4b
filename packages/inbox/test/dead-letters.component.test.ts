import { expect } from 'chai';
import { deadLetterFilter, deadLetterQuery } from '@taskwire/contracts';
import { createDeadLetters, dead, retry, type DeadLetters, type HandlerContext, type Inbox } from '@taskwire/inbox';
import { query } from '@taskwire/postgres';
import type { OutgoingMessage } from '@taskwire/rabbit';
import { waitFor } from '@taskwire/testing';
import {
  aHandler,
  anEvent,
  atOnce,
  createBench,
  never,
  noteEffect,
  someEvents,
  type Bench,
  keptHeaders,
} from './bench.ts';

const idsOf = (events: OutgoingMessage[]): string[] => events.map((event) => event.messageId);
const by = { actor: 'os:olga@desk', reason: 'mended' };

describe('dead letters', () => {
  let bench: Bench;
  let deadLetters: DeadLetters;
  /** Messages that fail for good, for as long as they are in here. */
  let broken: Set<string>;
  beforeEach(async () => {
    bench = await createBench();
    deadLetters = createDeadLetters({ db: bench.database.db });
    broken = new Set();
  });
  afterEach(async () => await bench.drop());

  const decide = (context: HandlerContext) =>
    broken.has(context.messageId) ? dead(`broken: ${context.type}`) : noteEffect(context);

  const search = async (criteria: Record<string, string> = {}) =>
    await deadLetters.search(deadLetterQuery.parse(criteria));

  async function idOf(event: OutgoingMessage, state = 'dead'): Promise<string> {
    const { data } = await search({ message_id: event.messageId, state });
    return data[0]!.id;
  }

  async function runRetries(inbox: Inbox): Promise<void> {
    while ((await inbox.tick()) === 'more');
  }

  /** Published, and dead. */
  async function bury(...events: OutgoingMessage[]): Promise<void> {
    for (const id of idsOf(events)) broken.add(id);
    await bench.publish(...events);
    await waitFor(async () => (await bench.rows('dead_letters')).length >= events.length, { timeoutMs: 15_000 });
  }

  async function audit(): Promise<Record<string, unknown>[]> {
    return await query(bench.database.db.pool, 'SELECT * FROM dead_letter_audit ORDER BY id');
  }

  it('are found by key, type, pattern of types, words of the reason, time and state', async () => {
    await bench.start([aHandler({ type: '#', name: 'all', decide })]);
    const task = anEvent({ aggregateId: 'task-1' });
    const user = anEvent({ aggregateId: 'user-1', routingKey: 'auth.user.created' });
    await bury(task, user);
    const found = async (criteria: Record<string, string>) =>
      (await search(criteria)).data.map(({ message_id }) => message_id);
    expect(await found({ key: 'task-1' })).to.deep.equal([task.messageId]);
    expect(await found({ type: 'auth.user.created' })).to.deep.equal([user.messageId]);
    expect(await found({ type: 'tasks.#' })).to.deep.equal([task.messageId]);
    expect(await found({ type: '*.*.created' })).to.have.members(idsOf([task, user]));
    expect(await found({ type: 'auth' })).to.deep.equal([]);
    expect(await found({ reason: 'refused' })).to.have.members(idsOf([task, user]));
    expect(await found({ reason: 'BROKEN: auth' })).to.deep.equal([user.messageId]);
    expect(await found({ reason: '%' })).to.deep.equal([]);
    expect(await found({ until: '2020-01-01T00:00:00Z' })).to.deep.equal([]);
    expect(await found({ from: '2020-01-01T00:00:00+02:00' })).to.have.length(2);
    await deadLetters.drop(await idOf(task), by);
    expect(await found({ state: 'dropped' })).to.deep.equal([task.messageId]);
    expect(await found({})).to.deep.equal([user.messageId]);
    expect(await found({ state: 'any' })).to.have.length(2);
  });

  it('come page by page, each once, latest first', async () => {
    await bench.start([aHandler({ order: 'none', decide })]);
    await bury(...someEvents(7));
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await search({ limit: '3', ...(cursor === null ? {} : { cursor }) });
      seen.push(...page.data.map(({ id }) => id));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(seen).to.have.length(7);
    expect(new Set(seen).size).to.equal(7);
    const deadAt = (await search()).data.map(({ dead_at }) => dead_at);
    expect(deadAt).to.deep.equal(deadAt.toSorted().toReversed());
  });

  it('are read with all that came with the message, its errors and what people did', async () => {
    const inbox = await bench.start([aHandler({ decide: ({ attempt }) => retry(`attempt ${attempt}`) })], {
      limits: { ...atOnce, maxAttempts: 2 },
    });
    const event = anEvent({ correlationId: 'request-1', headers: { traceparent: '00-x' } });
    await bench.publish(event);
    await waitFor(async () => (await search()).data.length === 1);
    const id = await idOf(event);
    const letter = await deadLetters.read(id);
    expect(letter).to.deep.include({
      handler: 'tasks.#',
      type: event.routingKey,
      key: 'a',
      reason: 'attempts_exhausted',
      attempts: 2,
      correlation_id: 'request-1',
      headers: keptHeaders(event),
      payload: '{"n":1}',
      payload_encoding: 'utf8',
      payload_bytes: 7,
      audit: [],
    });
    expect(letter?.errors.map(({ attempt, error }) => [attempt, error])).to.deep.equal([
      [1, 'attempt 1'],
      [2, 'attempt 2'],
    ]);
    await inbox.stop();
    await deadLetters.replay(id, by);
    const { state, settled_by, audit: entries } = (await deadLetters.read(id))!;
    expect({ state, settled_by }).to.deep.equal({ state: 'replayed', settled_by: by.actor });
    expect(entries).to.have.length(1);
    expect(entries[0]).to.include({ action: 'replay', ...by });
    expect(await deadLetters.read('019aa1b2-0000-7000-8000-0000000000ff')).to.equal(undefined);
  });

  it('are done once when they are replayed and what broke them is mended', async () => {
    const inbox = await bench.start([aHandler({ decide })]);
    const event = anEvent();
    await bury(event);
    broken.clear();
    // the memory of it may be gone by now
    await query(bench.database.db.pool, 'DELETE FROM inbox');
    expect(await deadLetters.replay(await idOf(event), by)).to.equal('done');
    await waitFor(async () => (await bench.effects()).length === 1);
    await bench.publish(event);
    const next = anEvent();
    await bench.publish(next);
    await bench.taken(next);
    await runRetries(inbox);
    expect(await bench.effects()).to.deep.equal(idsOf([event, next]));
    expect(await bench.rows('inbox_retries')).to.deep.equal([]);
  });

  it('are dead again, with the history of both times, when they fail again', async () => {
    await bench.start([aHandler({ decide: ({ attempt }) => retry(`attempt ${attempt}`) })], {
      limits: { ...atOnce, maxAttempts: 2 },
    });
    const event = anEvent();
    await bench.publish(event);
    await waitFor(async () => (await search()).data.length === 1);
    const first = await idOf(event);
    await deadLetters.replay(first, by);
    await waitFor(async () => (await search()).data.length === 1);
    const second = await deadLetters.read(await idOf(event));
    expect(second?.id).not.to.equal(first);
    expect(second).to.include({
      reason: 'attempts_exhausted',
      attempts: 2,
      received_at: (await deadLetters.read(first))?.received_at,
    });
    expect(second?.errors.map(({ attempt }) => attempt)).to.deep.equal([1, 2, 1, 2]);
  });

  for (const order of ['through_retry', 'through_dead_letters'] as const) {
    it(`are replayed in order for a key: ${order}`, async () => {
      const inbox = await bench.start([aHandler({ order, decide })], { limits: never });
      const events = [...someEvents(3, 'a'), ...someEvents(3, 'b')];
      for (const id of idsOf(events)) broken.add(id);
      await bench.publish(...events);
      await bench.taken(...events);
      await runRetries(inbox);
      broken.clear();
      // with through_dead_letters only the first of a key is dead, and the others wait behind it
      const { data } = await search();
      expect(data).to.have.length(order === 'through_retry' ? 6 : 2);
      const batch = { filter: deadLetterFilter.parse({ type: 'tasks.#' }), limit: 4 };
      const settled = await deadLetters.replayBatch(batch, by);
      if (settled.more) await deadLetters.replayBatch(batch, by);
      await waitFor(async () => {
        await runRetries(inbox);
        return (await bench.effects()).length === 6;
      });
      const effects = await bench.effects();
      for (const key of ['a', 'b']) {
        const mine = idsOf(events.filter(({ headers }) => headers['aggregate_id'] === key));
        expect(effects.filter((id) => mine.includes(id))).to.deep.equal(mine);
      }
    });
  }

  it('go ahead of what came after them and is being tried again', async () => {
    let away = false;
    const inbox = await bench.start([aHandler({ decide: (context) => (away ? retry('away') : decide(context)) })], {
      limits: never,
    });
    const [first, second, third] = someEvents(3) as [OutgoingMessage, OutgoingMessage, OutgoingMessage];
    await bury(first);
    away = true;
    await bench.publish(second, third);
    await bench.taken(second, third);
    broken.clear();
    away = false;
    await deadLetters.replay(await idOf(first), by);
    await runRetries(inbox);
    expect(await bench.effects()).to.deep.equal(idsOf([first, second, third]));
  });

  it('wait for one of their key that is at work', async () => {
    const atWork = Promise.withResolvers<void>();
    const [first, second] = someEvents(2) as [OutgoingMessage, OutgoingMessage];
    let tries = 0;
    const inbox = await bench.start(
      [
        aHandler({
          async decide(context) {
            if (context.messageId !== second.messageId) return decide(context);
            if (++tries === 1) return retry('not now');
            await atWork.promise;
            return noteEffect(context);
          },
        }),
      ],
      { limits: never },
    );
    await bury(first);
    await bench.publish(second);
    await bench.taken(second);
    await bench.makeDue();
    const round = inbox.tick();
    await waitFor(() => tries === 2);
    broken.clear();
    await deadLetters.replay(await idOf(first), by);
    expect((await bench.rows('inbox_retries')).find(({ message_id }) => message_id === first.messageId)).to.include({
      state: 'waiting',
    });
    atWork.resolve();
    await round;
    await runRetries(inbox);
    expect(await bench.effects()).to.deep.equal(idsOf([second, first]));
  });

  it('let go on what they held back when they are dropped', async () => {
    const inbox = await bench.start([aHandler({ order: 'through_dead_letters', decide })]);
    const events = someEvents(3);
    await bury(events[0]!);
    await bench.publish(...events.slice(1));
    await bench.taken(...events);
    expect(await bench.effects()).to.deep.equal([]);
    await deadLetters.drop(await idOf(events[0]!), by);
    await waitFor(async () => {
      await runRetries(inbox);
      return (await bench.effects()).length === 2;
    });
    expect(await bench.effects()).to.deep.equal(idsOf(events.slice(1)));
    expect(await bench.rows('inbox_retries')).to.deep.equal([]);
  });

  it('are settled once, whoever tries to at the same time, and the audit has that one', async () => {
    const inbox = await bench.start([aHandler({ order: 'through_dead_letters', decide })]);
    const events = Array.from({ length: 10 }, (_, n) => anEvent({ aggregateId: `a${n}` }));
    await bury(...events);
    await inbox.stop();
    for (const event of events) {
      const id = await idOf(event);
      const tries = Array.from({ length: 6 }, (_, n) => {
        const settlement = { actor: `os:${n}@desk`, reason: 'race' };
        return n % 2 === 0 ? deadLetters.replay(id, settlement) : deadLetters.drop(id, settlement);
      });
      const results = await Promise.all(tries);
      expect(results.toSorted()).to.deep.equal([...Array<string>(5).fill('conflict'), 'done']);
      const winner = results.indexOf('done');
      const letter = await deadLetters.read(id);
      expect(letter).to.include({ state: winner % 2 === 0 ? 'replayed' : 'dropped', settled_by: `os:${winner}@desk` });
      expect(letter?.audit.map(({ actor }) => actor)).to.deep.equal([`os:${winner}@desk`]);
      const left = (await bench.rows('inbox_retries')).filter(({ message_id }) => message_id === event.messageId);
      expect(left.map(({ state }) => state)).to.deep.equal(winner % 2 === 0 ? ['retry'] : []);
    }
    expect(await deadLetters.drop('019aa1b2-0000-7000-8000-0000000000ff', by)).to.equal('not_found');
  });

  it('are replayed once by batches at the same time, and what fails again is not in the same batch', async () => {
    await bench.start([aHandler({ order: 'none', decide })]);
    await bury(...someEvents(12));
    const batch = { filter: deadLetterFilter.parse({ until: (await search()).data[0]!.dead_at }), limit: 100 };
    const results = await Promise.all([deadLetters.replayBatch(batch, by), deadLetters.replayBatch(batch, by)]);
    expect(results.reduce((sum, { settled }) => sum + settled, 0)).to.equal(12);
    expect(await audit()).to.have.length(12);
    // all of them fail again, later than `until`
    await waitFor(async () => (await search()).data.length === 12);
    expect(await deadLetters.replayBatch(batch, by)).to.include({ settled: 0, more: false });
  });

  it('have an audit that nobody can rewrite', async () => {
    await bench.start([aHandler({ decide })]);
    const event = anEvent();
    await bury(event);
    await deadLetters.drop(await idOf(event), by);
    const [entry] = await audit();
    expect(entry).to.include({ action: 'drop', message_id: event.messageId, handler: 'tasks.#', ...by });
    for (const text of [
      `UPDATE dead_letter_audit SET actor = 'nobody'`,
      'DELETE FROM dead_letter_audit',
      'TRUNCATE dead_letter_audit',
    ]) {
      const fault = await query(bench.database.db.pool, text).then(
        () => undefined,
        (error: unknown) => error as Error,
      );
      expect(fault?.message).to.equal('dead_letter_audit is append-only');
    }
  });
});
