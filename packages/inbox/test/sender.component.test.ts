import { randomUUIDv7 } from 'node:crypto';
import amqp, { type ConfirmChannel, type Options } from 'amqplib';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { testHandler, type TestService, useInboxHarness, waitFor, type InboxHarness } from '@taskwire/testing';

const exchange = 'taskwire.events';
const deletion = 'auth.user.deleted';

describe('an event that impersonates another service', function () {
  this.timeout(30_000);
  const harness = useInboxHarness();

  /** Runs operations with a login of the broker. Returns the code with which the broker rejected them, if it did. */
  async function as(
    login: TestService | undefined,
    work: (channel: ConfirmChannel) => Promise<void>,
  ): Promise<number | undefined> {
    const connection = await amqp.connect(harness.broker.url(login));
    try {
      const channel = await connection.createConfirmChannel();
      const refused = new Promise<number | undefined>((resolve) =>
        channel.on('error', (error: Error & { code?: number }) => resolve(error.code)),
      );
      const done = work(channel).then(async () => await channel.waitForConfirms());
      return await Promise.race([done.then(() => undefined).catch(async () => await refused), refused]);
    } finally {
      await connection.close();
    }
  }

  function anEvent(more: Options.Publish = {}): { content: Buffer; options: Options.Publish & { messageId: string } } {
    const headers = { schema_version: 1, aggregate_id: 'a', ...(more.headers as object | undefined) };
    const options = { type: deletion, persistent: true, ...more, headers, messageId: randomUUIDv7() };
    return { content: Buffer.from('{"n":1}'), options };
  }

  /** Publishes as the operator, who may send any `user_id`. */
  async function send(more: Options.Publish = {}, key = deletion): Promise<string> {
    const { content, options } = anEvent(more);
    const refused = await as(undefined, async (channel) => void channel.publish(exchange, key, content, options));
    expect(refused).to.equal(undefined);
    return options.messageId;
  }

  async function start(senders?: Parameters<InboxHarness['start']>[1]): Promise<void> {
    await harness.start([testHandler({ type: 'auth.#' })], senders);
    await harness.consuming();
  }

  /** Waits for this number of effects and dead letters. */
  async function processed(count: number): Promise<{ effects: string[]; dead: Record<string, unknown>[] }> {
    return await waitFor(async () => {
      const [effects, dead] = [await harness.effects(), await harness.rows('dead_letters')];
      return effects.length + dead.length >= count && { effects, dead };
    });
  }

  it('has no effect and becomes a dead letter that names its publisher', async () => {
    await start();
    await send({ userId: 'tasks' });
    const { effects, dead } = await processed(1);
    expect(effects).to.deep.equal([]);
    expect(dead[0]).to.include({ reason: 'wrong_sender', type: deletion });
    expect(dead[0]?.['error']).to.equal(
      'the login tasks published it, but only auth publishes auth.user.deleted (EVENT_LOGINS)',
    );
    expect(dead[0]?.['headers']).to.deep.include({
      'x-taskwire-provenance': { userId: 'tasks', exchange, routingKey: deletion },
    });
  });

  it('is recognised by its app_id', async () => {
    await start();
    const id = await send({ userId: 'auth', appId: 'auth' });
    await send({ userId: 'auth', appId: 'tasks' });
    await send({ appId: 'tasks' });
    const { effects, dead } = await processed(3);
    expect(effects).to.deep.equal([id]);
    expect(dead.map(({ reason }) => reason)).to.deep.equal(['wrong_sender', 'wrong_sender']);
  });

  it('includes any event of an unlisted login, and the logins can be configured', async () => {
    await start({ senders: { logins: { auth: ['identity', 'identity-next'] }, withoutUserId: 'accept' } });
    const ids = [await send({ userId: 'identity' }), await send({ userId: 'identity-next' })];
    await send({ userId: 'auth' });
    const { effects, dead } = await processed(3);
    expect(effects).to.have.members(ids);
    expect(dead).to.have.length(1);
  });

  it('cannot be recognised without user_id, so such an event is trusted only if it came directly from the exchange', async () => {
    await start();
    const straight = await send();
    await send({ type: deletion }, 'auth.user.changed');
    const { effects, dead } = await processed(2);
    expect(effects).to.deep.equal([straight]);
    expect(dead[0]).to.include({ reason: 'wrong_sender' });
  });

  // each of these detours, used with the login of Tasks, routes an event of Auth to the queue of Notifications, bypassing the broker's topic
  // permissions
  const detours: [string, (channel: ConfirmChannel) => Promise<unknown>][] = [
    [
      'by an exchange of its own with an alternate exchange',
      async (channel) => {
        await channel.assertExchange('tasks.detour', 'direct', { alternateExchange: exchange });
        const { content, options } = anEvent();
        channel.publish('tasks.detour', deletion, content, options);
      },
    ],
    [
      'by a binding between exchanges',
      async (channel) => {
        await channel.assertExchange('tasks.detour', 'topic');
        await channel.bindExchange(exchange, 'tasks.detour', '#');
        const { content, options } = anEvent();
        channel.publish('tasks.detour', deletion, content, options);
      },
    ],
    [
      'by a queue of its own that dead-letters into the exchange of events',
      async (channel) => {
        await channel.assertExchange('tasks.detour', 'fanout');
        await channel.assertQueue('tasks.detour', {
          messageTtl: 0,
          deadLetterExchange: exchange,
          deadLetterRoutingKey: deletion,
        });
        await channel.bindQueue('tasks.detour', 'tasks.detour', '');
        const { content, options } = anEvent();
        channel.publish('tasks.detour', '', content, options);
      },
    ],
    [
      'by a second routing key',
      async (channel) => {
        const { content, options } = anEvent({ CC: deletion });
        channel.publish(exchange, 'tasks.task.changed', content, options);
      },
    ],
  ];
  for (const [way, take] of detours) {
    for (const forged of ['', ' and claims that its own queue dead-lettered it'] as const) {
      it(`is rejected when a service sends it ${way}${forged}`, async () => {
        await start();
        // the history names another queue, because the broker drops a message whose history contains the next queue
        const death = { count: 1, reason: 'delivery_limit', queue: 'tasks.events', exchange };
        const headers = forged === '' ? {} : { 'x-death': [{ ...death, 'routing-keys': [deletion] }] };
        const refused = await as('tasks', async (channel) => {
          const plain = channel.publish.bind(channel);
          channel.publish = (to, key, content, options) =>
            plain(to, key, content, { ...options, headers: { ...(options?.headers as object), ...headers } });
          await take(channel);
        });
        // RabbitMQ 4 also checks the second routing key
        if (refused !== undefined) return expect(refused).to.equal(403);
        const { effects, dead } = await processed(1);
        expect(effects).to.deep.equal([]);
        expect(dead[0]).to.include({ reason: 'wrong_sender', type: deletion });
      });
    }
  }

  it('cannot omit its user_id where that is refused', async () => {
    await start({ senders: { logins: {}, withoutUserId: 'refuse' } });
    await send();
    const id = await send({ userId: 'auth' });
    const { effects, dead } = await processed(2);
    expect(effects).to.deep.equal([id]);
    expect(dead[0]?.['error']).to.equal('it has no user_id (EVENTS_WITHOUT_USER_ID)');
  });

  it('stays a dead letter when an operator replays it', async () => {
    await start();
    await send({ userId: 'tasks' });
    const [first] = (await processed(1)).dead;
    await harness.deadLetters.replay(String(first?.['id']), { actor: 'os:olga@desk', reason: 'a test' });
    const { effects, dead } = await processed(2);
    expect(effects).to.deep.equal([]);
    expect(dead.map(({ reason }) => reason)).to.deep.equal(['wrong_sender', 'wrong_sender']);
  });

  it('does not include a message stored before user_id was checked: its replay takes effect', async () => {
    await start();
    const id = await send({ type: 'auth.unknown' });
    const [letter] = (await processed(1)).dead;
    const update = `UPDATE dead_letters SET type = $1, headers = '{"schema_version":1,"aggregate_id":"a"}'`;
    await query(harness.database.db.pool, update, [deletion]);
    await harness.deadLetters.replay(String(letter?.['id']), { actor: 'os:olga@desk', reason: 'a test' });
    expect((await processed(2)).effects).to.deep.equal([id]);
  });

  it('does not include a message from the dead-letter queue whose consumer died', async () => {
    // the message is stored with the provenance that the broker recorded, and can be replayed
    const { content, options } = anEvent();
    await as(undefined, async (channel) => {
      await channel.assertQueue('notifications.events', {
        durable: true,
        arguments: { 'x-queue-type': 'quorum', 'x-single-active-consumer': true },
      });
      await channel.assertQueue('notifications.events.dead', {
        durable: true,
        arguments: { 'x-queue-type': 'quorum' },
      });
      await channel.bindQueue('notifications.events.dead', 'taskwire.dead', 'notifications.events');
      await channel.bindQueue('notifications.events', exchange, 'auth.#');
      channel.publish(exchange, deletion, content, options);
      await channel.waitForConfirms();
      await channel.consume('notifications.events', (message) => {
        if (message !== null) channel.nack(message, false, true);
      });
      await waitFor(async () => (await channel.checkQueue('notifications.events.dead')).messageCount === 1, {
        timeoutMs: 15_000,
      });
    });
    await start();
    const [letter] = (await processed(1)).dead;
    expect(letter).to.include({ reason: 'delivery_limit' });
    await harness.deadLetters.replay(String(letter?.['id']), { actor: 'os:olga@desk', reason: 'a test' });
    expect((await processed(2)).effects).to.deep.equal([options.messageId]);
  });
});
