import amqp from 'amqplib';
import { expect } from 'chai';
import { deadLetterQuery } from '@taskwire/contracts';
import { dead, done, retry, unavailable, type HandlerContext } from '@taskwire/inbox';
import { query } from '@taskwire/postgres';
import { deadExchange, eventQueue, type OutgoingMessage } from '@taskwire/rabbit';
import {
  isDrill,
  neverRetry,
  publishRaw,
  recordEffect,
  retryAtOnce,
  testEvent,
  testHandler,
  useInboxHarness,
  waitFor,
} from '@taskwire/testing';

const by = { actor: 'user:019aa1b2-0000-7000-8000-000000000001', reason: 'not needed' };

describe('poison messages', () => {
  const harness = useInboxHarness();

  const found = async (criteria: Record<string, string>) =>
    (await harness.deadLetters.search(deadLetterQuery.parse(criteria))).data;

  const notHandled: Record<string, OutgoingMessage> = {
    bad_message_id: testEvent({ messageId: 'seven' }),
    unknown_type: testEvent({ routingKey: 'auth.user.exploded' }),
    too_large: testEvent({ body: Buffer.alloc(300_000, 'x') }),
    unknown_schema_version: testEvent({ headers: { schema_version: 2 } }),
  };
  const notRead: Record<string, OutgoingMessage> = {
    no_aggregate_id: { ...testEvent(), headers: { schema_version: 1 } },
    not_json: testEvent({ body: Buffer.from([0x7b, 0xff, 0x00]) }),
    bad_schema: testEvent({ body: Buffer.from('{"n":"one"}') }),
    refused: testEvent(),
  };
  const refused = notRead['refused']!.messageId;
  const decide = (context: HandlerContext) => (context.messageId === refused ? dead('never') : recordEffect(context));

  for (const [reason, poison] of Object.entries({ ...notHandled, ...notRead })) {
    it(`become dead letters, delay no other message, fail again when replayed, and can be dropped: ${reason}`, async () => {
      const inbox = await harness.start([testHandler({ decide })]);
      const next = testEvent();
      await harness.publish(poison, next);
      await harness.accepted(next);
      expect(await harness.effects()).to.deep.equal([next.messageId]);
      const [letter] = await waitFor(async () => {
        const letters = await found({ reason });
        return letters.length === 1 && letters;
      });
      const text = (await harness.deadLetters.read(letter!.id))!;
      expect(text.payload_bytes).to.equal(poison.body.length);
      expect(text.payload_encoding).to.equal(reason === 'not_json' ? 'base64' : 'utf8');
      expect(letter!.handler).to.equal(reason in notHandled ? null : 'tasks.#');
      const isHandled = !(reason in notHandled);
      // the text of the error may quote the message, and the type of a message without a handler may be anything
      expect(harness.reports).to.deep.equal([
        {
          kind: 'dead_letter',
          tags: {
            ...{ code: reason, attempts: 1, handler: isHandled ? 'tasks.#' : 'none' },
            event: isHandled ? poison.routingKey : undefined,
            message_id: reason === 'bad_message_id' ? undefined : poison.messageId,
            request_id: poison.correlationId,
          },
        },
      ]);

      expect(await harness.deadLetters.replay(letter!.id, by)).to.equal('done');
      const [again] = await waitFor(async () => {
        await inbox.tick();
        const letters = await found({ reason });
        return letters.length === 1 && letters;
      });
      expect(again!.id).not.to.equal(letter!.id);
      expect((await harness.deadLetters.read(again!.id))!.errors).to.have.length(2);

      expect(await harness.deadLetters.drop(again!.id, by)).to.equal('done');
      expect(await found({ state: 'dead' })).to.deep.equal([]);
      expect(await harness.rows('inbox_pending')).to.deep.equal([]);
    });
  }

  // amqplib overflows the stack over 18,000 levels, which the tests of @taskwire/rabbit show faster
  for (const nestedHeaders of isDrill ? [1_000, 18_000] : [1_000]) {
    it(`with unreadable headers become dead letters, and cost no other message a delivery: ${nestedHeaders} levels`, async function () {
      this.timeout(30_000);
      const inbox = await harness.start([testHandler()]);
      const [before, next] = [testEvent(), testEvent()];
      await harness.publish(before);
      await harness.accepted(before);
      const { messageId, routingKey, body } = testEvent();
      const connection = await amqp.connect(harness.broker.url('tasks'));
      const channel = await connection.createChannel();
      const sent = { exchange: 'taskwire.events', routingKey, messageId, appId: 'tasks', body, nestedHeaders };
      publishRaw(channel, sent);
      await channel.checkExchange('taskwire.events');
      await connection.close();
      await harness.publish(next);
      await harness.accepted(next);
      expect(await harness.effects()).to.deep.equal([before.messageId, next.messageId]);
      const [letter] = await waitFor(async () => {
        const letters = await found({ reason: 'unreadable_headers' });
        return letters.length === 1 && letters;
      });
      expect(letter).to.include({ message_id: messageId, type: routingKey, handler: null });

      expect(await harness.deadLetters.replay(letter!.id, by)).to.equal('done');
      const [again] = await waitFor(async () => {
        await inbox.tick();
        const letters = await found({});
        return letters.length === 1 && letters[0]!.id !== letter!.id && letters;
      });
      expect(await harness.deadLetters.drop(again!.id, by)).to.equal('done');
    });
  }

  it('become dead letters if they kill their process', async () => {
    const inbox = await harness.start([testHandler({ decide: () => retry('not now') })], { limits: neverRetry });
    const event = testEvent();
    await harness.publish(event);
    await harness.accepted(event);
    await query(
      harness.database.db.pool,
      `UPDATE inbox_pending SET crash_count = 5, lease_id = gen_random_uuid(), lease_expires_at = now()`,
    );
    await inbox.tick();
    const [letter] = await found({ reason: 'crashed' });
    expect(await harness.deadLetters.drop(letter!.id, by)).to.equal('done');
  });

  it('become dead letters if their queue dead-letters them, and are handled when replayed', async () => {
    const inbox = await harness.start([testHandler()]);
    const [first, event] = [testEvent(), testEvent()];
    // the exchange exists by then
    await harness.publish(first);
    await harness.accepted(first);
    const { vhost, management } = harness.broker;
    await management.call('POST', `/exchanges/${encodeURIComponent(vhost)}/${deadExchange}/publish`, {
      routing_key: eventQueue('notifications'),
      payload: event.body.toString(),
      payload_encoding: 'string',
      properties: {
        message_id: event.messageId,
        type: event.routingKey,
        headers: {
          ...event.headers,
          'x-death': [
            {
              ...{ reason: 'delivery_limit', queue: 'notifications.events', count: 1 },
              ...{ exchange: 'taskwire.events', 'routing-keys': [event.routingKey] },
            },
          ],
        },
      },
    });
    const [letter] = await waitFor(async () => {
      const letters = await found({});
      return letters.length === 1 && letters;
    });
    expect(letter).to.include({ message_id: event.messageId, handler: 'tasks.#' });
    await harness.deadLetters.replay(letter!.id, by);
    await waitFor(async () => {
      await inbox.tick();
      return (await harness.effects()).length === 2;
    });
  });

  it('of an unknown type are handled when replayed to a build that handles the type', async () => {
    const old = await harness.start([testHandler()]);
    const events = [1, 2, 3].map(() => testEvent({ routingKey: 'auth.user.promoted' }));
    await harness.publish(...events);
    await waitFor(async () => (await found({ reason: 'unknown_type' })).length === 3);
    await old.stop();
    await harness.deadLetters.replayBatch({ filter: {}, limit: 10 }, by);
    await harness.start([
      testHandler({ type: 'auth.#', name: 'one' }),
      testHandler({ type: 'auth.user.promoted', name: 'two' }),
    ]);
    await waitFor(async () => (await harness.effects()).length === 6, { timeoutMs: 10_000 });
    const effects = (await harness.effects()).filter((id, place, all) => all.indexOf(id) === place);
    // events of three aggregates, whose relative order is not guaranteed
    expect(effects).to.have.members(events.map(({ messageId }) => messageId));
  });

  it('exclude messages of an ignored type, which leave no row', async () => {
    const types = ['auth.user.created', 'auth.user.changed'];
    await harness.start(
      [testHandler({ type: 'tasks.#', name: 'tasks' }), testHandler({ type: types[0]!, name: 'user' })],
      {
        ignore: ['auth.user.*', 'tasks.#'],
      },
    );
    const [taken, ignored] = types.map((routingKey) => testEvent({ routingKey })) as [OutgoingMessage, OutgoingMessage];
    const marker = testEvent({ messageId: taken.messageId.replace(/^.{8}/, '0190ffff') });
    await harness.publish(ignored, testEvent({ routingKey: 'auth.user.changed', messageId: 'seven' }), taken, marker);
    await harness.accepted(taken, marker);
    expect(await harness.effects()).to.have.members([taken.messageId, marker.messageId]);
    expect(await harness.rows('inbox')).to.have.length(2);
    expect(await harness.rows('dead_letters')).to.deep.equal([]);
  });

  it('exclude messages whose handler handles several types, regardless of its name', async () => {
    const handler = { ...testHandler({ name: 'some' }), type: ['tasks.task.created', 'auth.user.*'] };
    await harness.start([handler]);
    const events = [testEvent(), testEvent({ routingKey: 'auth.user.created' })];
    await harness.publish(...events, testEvent({ routingKey: 'tasks.task.deleted' }));
    await harness.accepted(...events);
    expect(await harness.effects()).to.have.length(2);
    await waitFor(async () => (await found({ reason: 'unknown_type' })).length === 1);
    const { name: _, ...nameless } = handler;
    const fault = await harness.start([nameless]).catch((error: unknown) => error as Error);
    expect(fault).to.be.an('error').with.property('message').that.includes('has no name');
  });
});

describe('a message whose dependency is unavailable', () => {
  const harness = useInboxHarness();

  it('uses up no attempt, and keeps the first and the latest of its errors', async () => {
    const seen: number[] = [];
    let isUnavailable = true;
    const decide = (context: HandlerContext) => {
      seen.push(context.attempt);
      return isUnavailable ? unavailable(`try ${seen.length}`) : done();
    };
    const inbox = await harness.start([testHandler({ decide })], { limits: { ...neverRetry, maxAttempts: 3 } });
    const event = testEvent();
    await harness.publish(event);
    await harness.accepted(event);
    for (let n = 0; n < 40; n++) {
      await harness.makeDue();
      await inbox.tick();
    }
    const [row] = await harness.rows('inbox_pending');
    expect(row).to.include({ state: 'retry', attempts: 0, free_attempts: 41 });
    expect(new Set(seen)).to.deep.equal(new Set([1]));
    const errors = (row!['errors'] as { error: string }[]).map(({ error }) => error);
    expect(errors).to.have.length(30);
    expect([errors[0], errors.at(-1)]).to.deep.equal(['try 1', 'try 41']);
    isUnavailable = false;
    await harness.makeDue();
    await inbox.tick();
    expect(await harness.rows('inbox_pending')).to.deep.equal([]);
    expect(await harness.rows('dead_letters')).to.deep.equal([]);
  });

  it('becomes a dead letter after two days, and gets two more when replayed', async () => {
    const inbox = await harness.start([testHandler({ decide: () => unavailable('Tasks is unavailable') })], {
      limits: neverRetry,
    });
    const event = testEvent();
    await harness.publish(event);
    await harness.accepted(event);
    const age = async (interval: string) => {
      await query(harness.database.db.pool, `UPDATE inbox_pending SET pending_since = now() - interval '${interval}'`);
      await harness.makeDue();
      await inbox.tick();
    };
    await age('47 hours');
    expect(await harness.rows('dead_letters')).to.deep.equal([]);
    await age('49 hours');
    const [letter] = await harness.rows('dead_letters');
    expect(letter).to.include({ reason: 'unavailable', error: 'Tasks is unavailable' });

    await harness.deadLetters.replay(letter?.['id'] as string, by);
    await inbox.tick();
    expect(await harness.rows('inbox_pending')).to.have.length(1);
  });

  it('still counts other failures', async () => {
    const outcomes = [
      unavailable('unavailable'),
      retry('1'),
      unavailable('unavailable'),
      retry('2'),
      unavailable('unavailable'),
      retry('3'),
    ];
    await harness.start([testHandler({ decide: () => outcomes.shift() ?? done() })], {
      limits: { ...retryAtOnce, maxAttempts: 3 },
    });
    await harness.publish(testEvent());
    await waitFor(async () => (await harness.rows('dead_letters')).length === 1);
    expect((await harness.rows('dead_letters'))[0]).to.include({
      reason: 'attempts_exhausted',
      error: '3',
      attempts: 3,
    });
  });
});
