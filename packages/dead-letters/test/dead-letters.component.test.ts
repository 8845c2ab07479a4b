import { expect } from 'chai';
import { deadLetterFilter, deadLetterQuery } from '@taskwire/contracts';
import { dead, retry, type HandlerContext } from '@taskwire/inbox';
import { query } from '@taskwire/postgres';
import type { OutgoingMessage } from '@taskwire/rabbit';
import {
  idsOf,
  neverRetry,
  recordEffect,
  retryAtOnce,
  runRetries,
  storedHeaders,
  testEvent,
  testEvents,
  testHandler,
  useInboxHarness,
  waitFor,
} from '@taskwire/testing';

const by = { actor: 'os:olga@desk', reason: 'fixed' };

describe('dead letters', () => {
  const harness = useInboxHarness();
  /** Messages that fail permanently while they are in this set. */
  let broken: Set<string>;
  beforeEach(() => void (broken = new Set()));

  const decide = (context: HandlerContext) =>
    broken.has(context.messageId) ? dead(`broken: ${context.type}`) : recordEffect(context);

  const search = async (criteria: Record<string, string> = {}) =>
    await harness.deadLetters.search(deadLetterQuery.parse(criteria));

  async function idOf(event: OutgoingMessage, state = 'dead'): Promise<string> {
    const { data } = await search({ message_id: event.messageId, state });
    return data[0]!.id;
  }

  /** Publishes messages that become dead letters. */
  async function deadLetter(...events: OutgoingMessage[]): Promise<void> {
    for (const id of idsOf(events)) broken.add(id);
    await harness.publish(...events);
    await waitFor(async () => (await harness.rows('dead_letters')).length >= events.length, { timeoutMs: 15_000 });
  }

  async function audit(): Promise<Record<string, unknown>[]> {
    return await query(harness.database.db.pool, 'SELECT * FROM dead_letter_audit ORDER BY id');
  }

  it('are found by key, type, type pattern, part of the reason, time and state', async () => {
    await harness.start([testHandler({ type: '#', name: 'all', decide })]);
    const task = testEvent({ aggregateId: 'task-1' });
    const user = testEvent({ aggregateId: 'user-1', routingKey: 'auth.user.created' });
    await deadLetter(task, user);
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
    await harness.deadLetters.drop(await idOf(task), by);
    expect(await found({ state: 'dropped' })).to.deep.equal([task.messageId]);
    expect(await found({})).to.deep.equal([user.messageId]);
    expect(await found({ state: 'any' })).to.have.length(2);
  });

  it('are listed in pages, each once, latest first', async () => {
    await harness.start([testHandler({ order: 'none', decide })]);
    await deadLetter(...testEvents(7));
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

  it('are read with every property of the message, its errors and its audit', async () => {
    const inbox = await harness.start([testHandler({ decide: ({ attempt }) => retry(`attempt ${attempt}`) })], {
      limits: { ...retryAtOnce, maxAttempts: 2 },
    });
    const event = testEvent({ correlationId: 'request-1', headers: { traceparent: '00-x' } });
    await harness.publish(event);
    await waitFor(async () => (await search()).data.length === 1);
    const id = await idOf(event);
    const letter = await harness.deadLetters.read(id);
    expect(letter).to.deep.include({
      handler: 'tasks.#',
      type: event.routingKey,
      key: 'a',
      reason: 'attempts_exhausted',
      attempts: 2,
      correlation_id: 'request-1',
      headers: storedHeaders(event),
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
    await harness.deadLetters.replay(id, by);
    const { state, settled_by, audit: entries } = (await harness.deadLetters.read(id))!;
    expect({ state, settled_by }).to.deep.equal({ state: 'replayed', settled_by: by.actor });
    expect(entries).to.have.length(1);
    expect(entries[0]).to.include({ action: 'replay', ...by });
    expect(await harness.deadLetters.read('019aa1b2-0000-7000-8000-0000000000ff')).to.equal(undefined);
  });

  it('take effect once when they are replayed after the fault is fixed', async () => {
    const inbox = await harness.start([testHandler({ decide })]);
    const event = testEvent();
    await deadLetter(event);
    broken.clear();
    // its deduplication row may have been purged by now
    await query(harness.database.db.pool, 'DELETE FROM inbox');
    expect(await harness.deadLetters.replay(await idOf(event), by)).to.equal('done');
    await waitFor(async () => (await harness.effects()).length === 1);
    await harness.publish(event);
    const next = testEvent();
    await harness.publish(next);
    await harness.accepted(next);
    await runRetries(inbox);
    expect(await harness.effects()).to.deep.equal(idsOf([event, next]));
    expect(await harness.rows('inbox_pending')).to.deep.equal([]);
  });

  it('become dead letters again, with the history of both rounds, when they fail again', async () => {
    await harness.start([testHandler({ decide: ({ attempt }) => retry(`attempt ${attempt}`) })], {
      limits: { ...retryAtOnce, maxAttempts: 2 },
    });
    const event = testEvent();
    await harness.publish(event);
    await waitFor(async () => (await search()).data.length === 1);
    const first = await idOf(event);
    await harness.deadLetters.replay(first, by);
    await waitFor(async () => (await search()).data.length === 1);
    const second = await harness.deadLetters.read(await idOf(event));
    expect(second?.id).not.to.equal(first);
    expect(second).to.include({
      reason: 'attempts_exhausted',
      attempts: 2,
      received_at: (await harness.deadLetters.read(first))?.received_at,
    });
    expect(second?.errors.map(({ attempt }) => attempt)).to.deep.equal([1, 2, 1, 2]);
  });

  for (const order of ['through_retry', 'through_dead_letters'] as const) {
    it(`are replayed in order for a key: ${order}`, async () => {
      const inbox = await harness.start([testHandler({ order, decide })], { limits: neverRetry });
      const events = [...testEvents(3, 'a'), ...testEvents(3, 'b')];
      for (const id of idsOf(events)) broken.add(id);
      await harness.publish(...events);
      await harness.accepted(...events);
      await runRetries(inbox);
      broken.clear();
      // with through_dead_letters, only the first message of a key is dead, and the others wait behind it
      const { data } = await search();
      expect(data).to.have.length(order === 'through_retry' ? 6 : 2);
      const batch = { filter: deadLetterFilter.parse({ type: 'tasks.#' }), limit: 4 };
      const first = await harness.deadLetters.replayBatch(batch, by);
      if (first.more) await harness.deadLetters.replayBatch(batch, by);
      await waitFor(async () => {
        await runRetries(inbox);
        return (await harness.effects()).length === 6;
      });
      const effects = await harness.effects();
      for (const key of ['a', 'b']) {
        const mine = idsOf(events.filter(({ headers }) => headers['aggregate_id'] === key));
        expect(effects.filter((id) => mine.includes(id))).to.deep.equal(mine);
      }
    });
  }

  it('go ahead of later messages that wait for a retry', async () => {
    let isUnavailable = false;
    const inbox = await harness.start(
      [testHandler({ decide: (context) => (isUnavailable ? retry('unavailable') : decide(context)) })],
      {
        limits: neverRetry,
      },
    );
    const [first, second, third] = testEvents(3) as [OutgoingMessage, OutgoingMessage, OutgoingMessage];
    await deadLetter(first);
    isUnavailable = true;
    await harness.publish(second, third);
    await harness.accepted(second, third);
    broken.clear();
    isUnavailable = false;
    await harness.deadLetters.replay(await idOf(first), by);
    await runRetries(inbox);
    expect(await harness.effects()).to.deep.equal(idsOf([first, second, third]));
  });

  it('wait for a message with their key that is being handled', async () => {
    const atWork = Promise.withResolvers<void>();
    const [first, second] = testEvents(2) as [OutgoingMessage, OutgoingMessage];
    let tries = 0;
    const inbox = await harness.start(
      [
        testHandler({
          async decide(context) {
            if (context.messageId !== second.messageId) return decide(context);
            if (++tries === 1) return retry('not now');
            await atWork.promise;
            return recordEffect(context);
          },
        }),
      ],
      { limits: neverRetry },
    );
    await deadLetter(first);
    await harness.publish(second);
    await harness.accepted(second);
    await harness.makeDue();
    const round = inbox.tick();
    await waitFor(() => tries === 2);
    broken.clear();
    await harness.deadLetters.replay(await idOf(first), by);
    expect((await harness.rows('inbox_pending')).find(({ message_id }) => message_id === first.messageId)).to.include({
      state: 'waiting',
    });
    atWork.resolve();
    await round;
    await runRetries(inbox);
    expect(await harness.effects()).to.deep.equal(idsOf([second, first]));
  });

  it('unblock the messages behind them when they are dropped', async () => {
    const inbox = await harness.start([testHandler({ order: 'through_dead_letters', decide })]);
    const events = testEvents(3);
    await deadLetter(events[0]!);
    await harness.publish(...events.slice(1));
    await harness.accepted(...events);
    expect(await harness.effects()).to.deep.equal([]);
    await harness.deadLetters.drop(await idOf(events[0]!), by);
    await waitFor(async () => {
      await runRetries(inbox);
      return (await harness.effects()).length === 2;
    });
    expect(await harness.effects()).to.deep.equal(idsOf(events.slice(1)));
    expect(await harness.rows('inbox_pending')).to.deep.equal([]);
  });

  it('are resolved by one of several concurrent operators, whom the audit names', async () => {
    const inbox = await harness.start([testHandler({ order: 'through_dead_letters', decide })]);
    const events = Array.from({ length: 10 }, (_, n) => testEvent({ aggregateId: `a${n}` }));
    await deadLetter(...events);
    await inbox.stop();
    for (const event of events) {
      const id = await idOf(event);
      const tries = Array.from({ length: 6 }, (_, n) => {
        const resolution = { actor: `os:${n}@desk`, reason: 'race' };
        return n % 2 === 0 ? harness.deadLetters.replay(id, resolution) : harness.deadLetters.drop(id, resolution);
      });
      const results = await Promise.all(tries);
      expect(results.toSorted()).to.deep.equal([...Array<string>(5).fill('conflict'), 'done']);
      const winner = results.indexOf('done');
      const letter = await harness.deadLetters.read(id);
      expect(letter).to.include({ state: winner % 2 === 0 ? 'replayed' : 'dropped', settled_by: `os:${winner}@desk` });
      expect(letter?.audit.map(({ actor }) => actor)).to.deep.equal([`os:${winner}@desk`]);
      const left = (await harness.rows('inbox_pending')).filter(({ message_id }) => message_id === event.messageId);
      expect(left.map(({ state }) => state)).to.deep.equal(winner % 2 === 0 ? ['retry'] : []);
    }
    expect(await harness.deadLetters.drop('019aa1b2-0000-7000-8000-0000000000ff', by)).to.equal('not_found');
  });

  it('are replayed once by concurrent batches, and a message that fails again is not in the same batch', async () => {
    await harness.start([testHandler({ order: 'none', decide })]);
    await deadLetter(...testEvents(12));
    const batch = { filter: deadLetterFilter.parse({ until: (await search()).data[0]!.dead_at }), limit: 100 };
    const results = await Promise.all([
      harness.deadLetters.replayBatch(batch, by),
      harness.deadLetters.replayBatch(batch, by),
    ]);
    expect(results.reduce((sum, { resolved }) => sum + resolved, 0)).to.equal(12);
    expect(await audit()).to.have.length(12);
    // all messages fail again, after the time `until`
    await waitFor(async () => (await search()).data.length === 12);
    expect(await harness.deadLetters.replayBatch(batch, by)).to.include({ resolved: 0, more: false });
  });

  it('have an audit that cannot be changed', async () => {
    await harness.start([testHandler({ decide })]);
    const event = testEvent();
    await deadLetter(event);
    await harness.deadLetters.drop(await idOf(event), by);
    const [entry] = await audit();
    expect(entry).to.include({ action: 'drop', message_id: event.messageId, handler: 'tasks.#', ...by });
    for (const text of [
      `UPDATE dead_letter_audit SET actor = 'mallory'`,
      'DELETE FROM dead_letter_audit',
      'TRUNCATE dead_letter_audit',
    ]) {
      const fault = await query(harness.database.db.pool, text).then(
        () => undefined,
        (error: unknown) => error as Error,
      );
      expect(fault?.message).to.equal('dead_letter_audit is append-only');
    }
  });
});
