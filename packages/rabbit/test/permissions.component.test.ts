import amqp, { type ChannelModel, type ConfirmChannel } from 'amqplib';
import { expect } from 'chai';
import { subscriptions } from '@taskwire/contracts';
import {
  createRabbit,
  deadExchange,
  deadQueue,
  eventQueue,
  publishOnlyTopology,
  serviceTopology,
} from '@taskwire/rabbit';
import { rabbitManagement } from '@taskwire/process-supervisor';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, testBroker, waitFor, type TestBroker, type TestService } from '@taskwire/testing';
import { aMessage, collector } from './bench.ts';

type Work = (channel: ConfirmChannel) => Promise<unknown>;

const exchange = 'taskwire.events';
const quorum = { durable: true, arguments: { 'x-queue-type': 'quorum' } };
const services: TestService[] = ['auth', 'tasks', 'notifications'];
const othersOf = (service: TestService) => services.filter((other) => other !== service);

describe("the broker's permissions of a service", function () {
  this.timeout(20_000);
  let broker: TestBroker;
  /** One connection for each service; a rejection closes a channel, never the connection. */
  const connections = new Map<TestService, ChannelModel>();

  before(async () => {
    broker = await testBroker();
    for (const service of services) {
      const rabbit = connect(service);
      rabbit.consume({ queue: eventQueue(service), prefetch: 10, onMessage: async () => undefined });
      await rabbit.start();
      await waitFor(() => rabbit.ping().then(() => true));
      await rabbit.stop();
      const connection = await amqp.connect(broker.url(service));
      connection.on('error', () => undefined);
      connections.set(service, connection);
    }
  });
  after(async () => {
    for (const connection of connections.values()) await connection.close();
    await broker.drop();
  });

  function connect(service: TestService) {
    const telemetry = createTelemetry({ service, stream: silent() });
    const topology = serviceTopology({ service, bindings: subscriptions[service] });
    return createRabbit({
      url: broker.url(service),
      name: 'test',
      telemetry,
      topology,
      sender: { service, logins: {} },
    });
  }

  /** The broker's reaction: `allowed`, or the code with which it closes the channel. */
  async function tryAs(service: TestService, work: Work): Promise<unknown> {
    const connection = connections.get(service);
    if (connection === undefined) throw new Error(`${service} has no connection`);
    const channel = await connection.createConfirmChannel();
    const closed = new Promise<unknown>((resolve) =>
      channel.on('error', (error: Error & { code?: number }) => resolve(error.code)),
    );
    // the broker sends no response to a rejected publish
    const done = work(channel)
      .then(async () => await channel.waitForConfirms())
      .then(() => 'allowed')
      .catch(async () => await closed);
    const reaction = await Promise.race([done, closed]);
    if (reaction === 'allowed') await channel.close();
    return reaction;
  }

  const publish =
    (to: string, key: string, options: amqp.Options.Publish = {}): Work =>
    async (channel) =>
      void channel.publish(to, key, Buffer.from('{}'), { type: key, ...options });

  for (const service of services) {
    describe(`of ${service}`, () => {
      const own = eventQueue(service);

      it('allow all operations that it needs', async () => {
        const rabbit = connect(service);
        const heard = collector();
        rabbit.consume({ queue: own, prefetch: 10, onMessage: heard.onMessage });
        rabbit.consume({ queue: deadQueue(service), prefetch: 10, onMessage: heard.onMessage });
        await rabbit.start();
        // no queue is bound to these events in this test, but the broker accepts them
        expect(await tryAs(service, publish(exchange, `${service}.thing.happened`))).to.equal('allowed');
        await waitFor(() => rabbit.ping().then(() => true));
        for (const key of subscriptions[service])
          expect(await tryAs(service, async (channel) => await channel.bindQueue(own, exchange, key))).to.equal(
            'allowed',
          );
        await rabbit.stop();
      });

      it('reject publishing events of another service, or events with another login', async () => {
        for (const other of othersOf(service)) {
          expect(await tryAs(service, publish(exchange, `${other}.user.deleted`)), other).to.equal(403);
          const impersonating = publish(exchange, `${service}.thing.happened`, { userId: other });
          expect(await tryAs(service, impersonating), `user_id ${other}`).to.equal(406);
        }
        for (const key of [`${service}s.user.deleted`, `x${service}.user.deleted`, service, '', 'user.deleted'])
          expect(await tryAs(service, publish(exchange, key)), key).to.equal(403);
      });

      it('reject publishing that bypasses the exchange of events', async () => {
        for (const queue of services.map(eventQueue))
          expect(await tryAs(service, publish('', queue)), queue).to.equal(403);
        expect(await tryAs(service, publish(deadExchange, own))).to.equal(403);
        for (const other of ['amq.topic', 'amq.direct', 'amq.fanout', 'amq.headers'])
          expect(await tryAs(service, publish(other, 'auth.user.deleted')), other).to.equal(403);
      });

      it('reject access to queues of other services', async () => {
        for (const queue of othersOf(service).flatMap((other) => [
          eventQueue(other),
          deadQueue(other),
          `${other}.more`,
        ])) {
          const attempts: Record<string, Work> = {
            declare: async (channel) => await channel.assertQueue(queue, quorum),
            delete: async (channel) => await channel.deleteQueue(queue),
            purge: async (channel) => await channel.purgeQueue(queue),
            consume: async (channel) => await channel.consume(queue, () => undefined),
            get: async (channel) => await channel.get(queue),
            bind: async (channel) => await channel.bindQueue(queue, exchange, subscriptions[service][0] ?? ''),
            unbind: async (channel) => await channel.unbindQueue(queue, exchange, 'auth.user.*'),
          };
          for (const [what, attempt] of Object.entries(attempts))
            expect(await tryAs(service, attempt), `${what} ${queue}`).to.equal(403);
        }
      });

      it('reject creating, changing and deleting exchanges', async () => {
        for (const name of [exchange, deadExchange, 'other', 'amq.topic']) {
          const declaring: Work = async (channel) => await channel.assertExchange(name, 'topic', { durable: true });
          expect(await tryAs(service, declaring), `declare ${name}`).to.equal(403);
          expect(
            await tryAs(service, async (channel) => await channel.deleteExchange(name)),
            `delete ${name}`,
          ).to.equal(403);
        }
      });

      it('allow reading policies and bindings through the management API, and no change there that AMQP rejects', async () => {
        const login = new URL(broker.url(service));
        const { host, protocol } = new URL(broker.management.url);
        const api = rabbitManagement(`${protocol}//${login.username}:${login.password}@${host}`);
        const { vhost } = broker;
        await api.call('GET', `/policies/${vhost}`);
        await api.call('GET', `/queues/${vhost}/${own}/bindings`);
        const [other = ''] = othersOf(service).map(eventQueue);
        const event = { routing_key: 'auth.user.deleted', payload: '{}', payload_encoding: 'string' };
        const foreign = { ...event, routing_key: `${othersOf(service)[0]}.thing.happened` };
        const attempts: [string, string, unknown][] = [
          ['PUT', `/policies/${vhost}/mine`, { pattern: '.*', definition: { 'max-length': 1 }, 'apply-to': 'queues' }],
          ['DELETE', `/policies/${vhost}/${own}`, undefined],
          ['DELETE', `/exchanges/${vhost}/${exchange}`, undefined],
          ['DELETE', `/queues/${vhost}/${other}`, undefined],
          ['DELETE', `/queues/${vhost}/${other}/contents`, undefined],
          ['POST', `/queues/${vhost}/${other}/get`, { count: 1, ackmode: 'ack_requeue_false', encoding: 'auto' }],
          ['POST', `/exchanges/${vhost}/${exchange}/publish`, { ...foreign, properties: {} }],
          ['POST', `/exchanges/${vhost}/amq.default/publish`, { ...event, routing_key: other, properties: {} }],
          ['PUT', `/permissions/${vhost}/${service}`, { configure: '.*', write: '.*', read: '.*' }],
          ['GET', '/definitions', undefined],
          ['GET', '/users', undefined],
        ];
        for (const [method, path, body] of attempts) {
          const refusal = await api.call(method as 'GET', path, body).then(() => undefined, String);
          expect(refusal, `${method} ${path}`).to.match(/with 40[0-9]/);
        }
        const sent = { properties: { user_id: 'guest' }, routing_key: `${service}.thing.happened` };
        const impersonating = { ...event, ...sent };
        expect(
          await api
            .call('POST', `/exchanges/${vhost}/${exchange}/publish`, impersonating)
            .then(() => undefined, String),
        ).to.match(/with 40[0-9]/);
      });

      it('reject binding its queue to events without a subscription', async () => {
        const more = ['#', '*.*.*', '*.user.deleted', `${service}.#`, 'finance.#'];
        for (const key of more.filter((one) => !subscriptions[service].includes(one)))
          expect(await tryAs(service, async (channel) => await channel.bindQueue(own, exchange, key)), key).to.equal(
            403,
          );
      });
    });
  }

  it('hide the ids of mailed links from Tasks, which does not need them', async () => {
    const bind: Work = async (channel) =>
      await channel.bindQueue(eventQueue('tasks'), exchange, 'auth.account.password_reset_requested');
    expect(await tryAs('tasks', bind)).to.equal(403);
    expect(
      await tryAs(
        'notifications',
        async (channel) => await channel.bindQueue(eventQueue('notifications'), exchange, 'auth.account.*'),
      ),
    ).to.equal('allowed');
  });

  it('leave a missing exchange to the operator, and report it', async () => {
    const gone = await testBroker();
    await gone.management.call('DELETE', `/exchanges/${gone.vhost}/taskwire.events`);
    const lines: string[] = [];
    const stream = silent();
    stream.write = ((line: string) => lines.push(String(line))) as never;
    const telemetry = createTelemetry({ service: 'auth', stream });
    const rabbit = createRabbit({ url: gone.url('auth'), name: 'test', telemetry, topology: publishOnlyTopology });
    const published = rabbit.publisher().publish(aMessage({ routingKey: 'auth.user.created' }));
    await rabbit.start();
    await waitFor(() => lines.some((line) => line.includes('has to be made by the operator')));
    await gone.management.call('PUT', `/exchanges/${gone.vhost}/taskwire.events`, { type: 'topic', durable: true });
    // no queue is bound, but the message was accepted
    expect(await published).to.equal('returned');
    await rabbit.stop();
    await gone.drop();
  });
});
