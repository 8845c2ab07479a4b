import amqp from 'amqplib';
import { expect } from 'chai';
import { deadLetterQuery } from '@taskwire/contracts';
import {
  createDeadLetters,
  dead,
  done,
  retry,
  unavailable,
  type DeadLetters,
  type HandlerContext,
} from '@taskwire/inbox';
import { query } from '@taskwire/postgres';
import { deadExchange, eventQueue, type OutgoingMessage } from '@taskwire/rabbit';
import { publishRaw, waitFor } from '@taskwire/testing';
import { aHandler, anEvent, atOnce, createBench, never, noteEffect, type Bench } from './bench.ts';

const by = { actor: 'user:019aa1b2-0000-7000-8000-000000000001', reason: 'nobody misses it' };

describe('poison messages', () => {
  let bench: Bench;
  let deadLetters: DeadLetters;
  beforeEach(async () => {
    bench = await createBench();
    deadLetters = createDeadLetters({ db: bench.database.db });
  });
  afterEach(async () => await bench.drop());

  const found = async (criteria: Record<string, string>) =>
    (await deadLetters.search(deadLetterQuery.parse(criteria))).data;

  const notHandled: Record<string, OutgoingMessage> = {
    bad_message_id: anEvent({ messageId: 'seven' }),
    unknown_type: anEvent({ routingKey: 'auth.user.exploded' }),
    too_large: anEvent({ body: Buffer.alloc(300_000, 'x') }),
    unknown_schema_version: anEvent({ headers: { schema_version: 2 } }),
  };
  const notRead: Record<string, OutgoingMessage> = {
    no_aggregate_id: { ...anEvent(), headers: { schema_version: 1 } },
    not_json: anEvent({ body: Buffer.from([0x7b, 0xff, 0x00]) }),
    bad_schema: anEvent({ body: Buffer.from('{"n":"one"}') }),
    refused: anEvent(),
  };
  const refused = notRead['refused']!.messageId;
  const decide = (context: HandlerContext) => (context.messageId === refused ? dead('never') : noteEffect(context));

  for (const [reason, poison] of Object.entries({ ...notHandled, ...notRead })) {
    it(`end as dead letters, hold nobody up, fail again when they are replayed, and can be dropped: ${reason}`, async () => {
      const inbox = await bench.start([aHandler({ decide })]);
      const next = anEvent();
      await bench.publish(poison, next);
      await bench.taken(next);
      expect(await bench.effects()).to.deep.equal([next.messageId]);
      const [letter] = await waitFor(async () => {
        const letters = await found({ reason });
        return letters.length === 1 && letters;
      });
      const text = (await deadLetters.read(letter!.id))!;
      expect(text.payload_bytes).to.equal(poison.body.length);
      expect(text.payload_encoding).to.equal(reason === 'not_json' ? 'base64' : 'utf8');
      expect(letter!.handler).to.equal(reason in notHandled ? null : 'tasks.#');

      expect(await deadLetters.replay(letter!.id, by)).to.equal('done');
      const [again] = await waitFor(async () => {
        await inbox.tick();
        const letters = await found({ reason });
        return letters.length === 1 && letters;
      });
      expect(again!.id).not.to.equal(letter!.id);
      expect((await deadLetters.read(again!.id))!.errors).to.have.length(2);

      expect(await deadLetters.drop(again!.id, by)).to.equal('done');
      expect(await found({ state: 'dead' })).to.deep.equal([]);
      expect(await bench.rows('inbox_retries')).to.deep.equal([]);
    });
  }

  for (const nestedHeaders of [1_000, 18_000]) {
    it(`whose headers cannot be read end as dead letters, and cost the messages beside them nothing: ${nestedHeaders} levels`, async function () {
      this.timeout(30_000);
      const inbox = await bench.start([aHandler()]);
      const [before, next] = [anEvent(), anEvent()];
      await bench.publish(before);
      await bench.taken(before);
      const { messageId, routingKey, body } = anEvent();
      const connection = await amqp.connect(bench.broker.url('tasks'));
      const channel = await connection.createChannel();
      const sent = { exchange: 'taskwire.events', routingKey, messageId, appId: 'tasks', body, nestedHeaders };
      publishRaw(channel, sent);
      await channel.checkExchange('taskwire.events');
      await connection.close();
      await bench.publish(next);
      await bench.taken(next);
      expect(await bench.effects()).to.deep.equal([before.messageId, next.messageId]);
      const [letter] = await waitFor(async () => {
        const letters = await found({ reason: 'unreadable_headers' });
        return letters.length === 1 && letters;
      });
      expect(letter).to.include({ message_id: messageId, type: routingKey, handler: null });

      expect(await deadLetters.replay(letter!.id, by)).to.equal('done');
      const [again] = await waitFor(async () => {
        await inbox.tick();
        const letters = await found({});
        return letters.length === 1 && letters[0]!.id !== letter!.id && letters;
      });
      expect(await deadLetters.drop(again!.id, by)).to.equal('done');
    });
  }

  it('that kill their process end as dead letters', async () => {
    const inbox = await bench.start([aHandler({ decide: () => retry('not now') })], { limits: never });
    const event = anEvent();
    await bench.publish(event);
    await bench.taken(event);
    await query(
      bench.database.db.pool,
      `UPDATE inbox_retries SET crashes = 5, lease = gen_random_uuid(), next_attempt_at = now()`,
    );
    await inbox.tick();
    const [letter] = await found({ reason: 'crashed' });
    expect(await deadLetters.drop(letter!.id, by)).to.equal('done');
  });

  it('that their queue gave up on end as dead letters, and are handled when they are replayed', async () => {
    const inbox = await bench.start([aHandler()]);
    const [first, event] = [anEvent(), anEvent()];
    // by then the exchange is there
    await bench.publish(first);
    await bench.taken(first);
    const { vhost, management } = bench.broker;
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
    await deadLetters.replay(letter!.id, by);
    await waitFor(async () => {
      await inbox.tick();
      return (await bench.effects()).length === 2;
    });
  });

  it('of a type that nobody handled are handled when they are replayed to a build that knows it', async () => {
    const old = await bench.start([aHandler()]);
    const events = [1, 2, 3].map(() => anEvent({ routingKey: 'auth.user.promoted' }));
    await bench.publish(...events);
    await waitFor(async () => (await found({ reason: 'unknown_type' })).length === 3);
    await old.stop();
    await deadLetters.replayBatch({ filter: {}, limit: 10 }, by);
    await bench.start([
      aHandler({ type: 'auth.#', name: 'one' }),
      aHandler({ type: 'auth.user.promoted', name: 'two' }),
    ]);
    await waitFor(async () => (await bench.effects()).length === 6, { timeoutMs: 10_000 });
    const effects = (await bench.effects()).filter((id, place, all) => all.indexOf(id) === place);
    // of three aggregates: no order among them is promised
    expect(effects).to.have.members(events.map(({ messageId }) => messageId));
  });

  it('are none where the queue ignores their type: they leave nothing behind', async () => {
    const types = ['auth.user.created', 'auth.user.changed'];
    await bench.start([aHandler({ type: 'tasks.#', name: 'tasks' }), aHandler({ type: types[0]!, name: 'user' })], {
      ignore: ['auth.user.*', 'tasks.#'],
    });
    const [taken, ignored] = types.map((routingKey) => anEvent({ routingKey })) as [OutgoingMessage, OutgoingMessage];
    const marker = anEvent({ messageId: taken.messageId.replace(/^.{8}/, '0190ffff') });
    await bench.publish(ignored, anEvent({ routingKey: 'auth.user.changed', messageId: 'seven' }), taken, marker);
    await bench.taken(taken, marker);
    expect(await bench.effects()).to.have.members([taken.messageId, marker.messageId]);
    expect(await bench.rows('inbox')).to.have.length(2);
    expect(await bench.rows('dead_letters')).to.deep.equal([]);
  });

  it('are not those whose handler takes several types, whatever it is called', async () => {
    const handler = { ...aHandler({ name: 'some' }), type: ['tasks.task.created', 'auth.user.*'] };
    await bench.start([handler]);
    const events = [anEvent(), anEvent({ routingKey: 'auth.user.created' })];
    await bench.publish(...events, anEvent({ routingKey: 'tasks.task.deleted' }));
    await bench.taken(...events);
    expect(await bench.effects()).to.have.length(2);
    await waitFor(async () => (await found({ reason: 'unknown_type' })).length === 1);
    const { name: _, ...nameless } = handler;
    const fault = await bench.start([nameless]).catch((error: unknown) => error as Error);
    expect(fault).to.be.an('error').with.property('message').that.includes('has no name');
  });
});

describe('a message that finds what it needs unavailable', () => {
  let bench: Bench;
  beforeEach(async () => (bench = await createBench()));
  afterEach(async () => await bench.drop());

  it('uses up no attempt, waits longer and longer, and keeps the first and the latest of its errors', async () => {
    const seen: number[] = [];
    let away = true;
    const decide = (context: HandlerContext) => {
      seen.push(context.attempt);
      return away ? unavailable(`try ${seen.length}`) : done();
    };
    const inbox = await bench.start([aHandler({ decide })], { limits: { ...never, maxAttempts: 3 } });
    const event = anEvent();
    await bench.publish(event);
    await bench.taken(event);
    for (let n = 0; n < 40; n++) {
      await bench.makeDue();
      await inbox.tick();
    }
    const [row] = await bench.rows('inbox_retries');
    expect(row).to.include({ state: 'retry', attempts: 0, uncounted: 41 });
    expect(new Set(seen)).to.deep.equal(new Set([1]));
    const errors = (row?.['errors'] as { error: string }[]).map(({ error }) => error);
    expect(errors).to.have.length(30);
    expect([errors[0], errors.at(-1)]).to.deep.equal(['try 1', 'try 41']);
    away = false;
    await bench.makeDue();
    await inbox.tick();
    expect(await bench.rows('inbox_retries')).to.deep.equal([]);
    expect(await bench.rows('dead_letters')).to.deep.equal([]);
  });

  it('is dead once that has gone on for too long, and gets the same time again when it is replayed', async () => {
    const inbox = await bench.start([aHandler({ decide: () => unavailable('Tasks is away') })], { limits: never });
    const event = anEvent();
    await bench.publish(event);
    await bench.taken(event);
    const age = async (interval: string) => {
      await query(bench.database.db.pool, `UPDATE inbox_retries SET tried_since = now() - interval '${interval}'`);
      await bench.makeDue();
      await inbox.tick();
    };
    await age('47 hours');
    expect(await bench.rows('dead_letters')).to.deep.equal([]);
    await age('49 hours');
    const [letter] = await bench.rows('dead_letters');
    expect(letter).to.include({ reason: 'unavailable', error: 'Tasks is away' });

    await createDeadLetters({ db: bench.database.db }).replay(letter?.['id'] as string, by);
    await inbox.tick();
    expect(await bench.rows('inbox_retries')).to.have.length(1);
  });

  it('still counts other failures', async () => {
    const outcomes = [
      unavailable('away'),
      retry('1'),
      unavailable('away'),
      retry('2'),
      unavailable('away'),
      retry('3'),
    ];
    await bench.start([aHandler({ decide: () => outcomes.shift() ?? done() })], {
      limits: { ...atOnce, maxAttempts: 3 },
    });
    await bench.publish(anEvent());
    await waitFor(async () => (await bench.rows('dead_letters')).length === 1);
    expect((await bench.rows('dead_letters'))[0]).to.include({ reason: 'attempts_exhausted', error: '3', attempts: 3 });
  });
});
