import { isDeepStrictEqual } from 'node:util';
import amqp from 'amqplib';
import { expect } from 'chai';
import { deadQueue, eventQueues, openEventQueueAdmin, partitionExchange, serviceTopology } from '@taskwire/rabbit';
import { createTelemetry, type Telemetry } from '@taskwire/telemetry';
import { silent, waitFor } from '@taskwire/testing';
import { aMessage, collector, createBench, type Bench } from './bench.ts';

const count = 3;
const all = { count, served: [0, 1, 2] };
const topology = serviceTopology({ service: 'tasks', bindings: ['auth.user.*'], partitions: count });

describe('the queues of several partitions', function () {
  this.timeout(40_000);
  let bench: Bench;
  let telemetry: Telemetry;
  beforeEach(async () => {
    bench = await createBench();
    telemetry = createTelemetry({ service: 'tasks', stream: silent() });
  });
  afterEach(async () => await bench.drop());

  const to = (partition: string | undefined) =>
    aMessage({ headers: { schema_version: 1, ...(partition !== undefined && { partition }) } });

  /** Consumes each queue with the login of Tasks, and resolves when every queue has its consumer. */
  async function consuming() {
    const rabbit = await bench.rabbit({
      ...{ login: 'tasks', telemetry, topology, verifyEveryMs: 50, managementUrl: bench.broker.management.url },
    });
    const seen = eventQueues('tasks', all).map((queue) => {
      const collected = collector();
      rabbit.consume({ queue, prefetch: 10, onMessage: collected.onMessage });
      return collected;
    });
    await waitFor(() => rabbit.ping().then(() => true));
    return { rabbit, seen };
  }

  it('receive the events of their partition, and are declared with the permissions of a service', async () => {
    const { rabbit, seen } = await consuming();
    const messages = ['0/3', '1/3', '1/3', '2/3'].map(to);
    const publisher = (await bench.rabbit({ topology })).publisher();
    for (const message of messages) expect(await publisher.publish(message)).to.equal('confirmed');
    const [a, b, c, d] = messages.map(({ messageId }) => messageId);
    await waitFor(() => seen.flatMap((one) => one.received).length === 4);
    expect(seen.map((one) => one.ids())).to.deep.equal([[a], [b, c], [d]]);
    // policies of all queues are complete, and all bindings are found
    expect(await rabbit.ping()).to.equal(undefined);
    expect(seen[0]?.received[0]?.exchange).to.equal('taskwire.events');
  });

  it('receive no event that was published for another number of partitions, which is returned', async () => {
    const { seen } = await consuming();
    const publisher = (await bench.rabbit({ topology })).publisher();
    for (const partition of ['0/2', '1/4', undefined])
      expect(await publisher.publish(to(partition)), String(partition)).to.equal('returned');
    expect(seen.flatMap((one) => one.received)).to.deep.equal([]);
  });

  it('share a queue of dead letters', async () => {
    const rabbit = await bench.rabbit({ topology, telemetry });
    const dead = collector();
    rabbit.consume({ queue: deadQueue('tasks'), prefetch: 10, onMessage: dead.onMessage });
    await waitFor(() => rabbit.ping().then(() => true));
    const messages = [to('0/3'), to('2/3')];
    for (const message of messages) await rabbit.publisher().publish(message);
    // each return counts against the delivery limit
    const connection = await amqp.connect(bench.broker.url());
    const channel = await connection.createChannel();
    for (const queue of eventQueues('tasks', all))
      await channel.consume(queue, (message) => message !== null && channel.nack(message));
    await waitFor(() => dead.received.length === 2);
    await connection.close();
    expect(new Set(dead.ids())).to.deep.equal(new Set(messages.map(({ messageId }) => messageId)));
  });

  it('receive events again after the binding of their exchange was deleted, which is counted', async () => {
    const { rabbit, seen } = await consuming();
    const publisher = (await bench.rabbit({ topology, verifyEveryMs: 3_600_000 })).publisher();
    const exchange = partitionExchange('tasks');
    const { management, vhost } = bench.broker;
    const lost = async () => {
      const metric = await telemetry.metrics.getSingleMetric('rabbit_topology_lost_total')?.get();
      return metric?.values.find(({ labels }) => labels['queue'] === exchange)?.value;
    };
    // a binding that is deleted between the query and the declaration of a check is restored without being reported
    await waitFor(async () => {
      const path = `/bindings/${vhost}/e/taskwire.events/e/${exchange}/auth.user.%2A`;
      await management.call('DELETE', path).catch(() => undefined);
      return ((await lost()) ?? 0) > 0;
    });
    await waitFor(async () => (await publisher.publish(to('1/3'))) === 'confirmed');
    await waitFor(() => seen[1]?.received.length === 1);
    expect(await rabbit.ping()).to.equal(undefined);
  });
});

describe('a consumer whose permission ends', () => {
  let bench: Bench;
  beforeEach(async () => (bench = await createBench()));
  afterEach(async () => await bench.drop());

  it('finishes its messages, leaves its queue, and consumes again once it is permitted', async () => {
    const rabbit = await bench.rabbit();
    const [queue = ''] = eventQueues('tasks', { count: 1, served: [0] });
    let permission: AbortController | undefined = new AbortController();
    const handling = Promise.withResolvers<void>();
    const seen = collector();
    rabbit.consume({
      ...{ queue, prefetch: 10 },
      ready: async () => {
        if (permission === undefined) throw new Error('not permitted');
        return permission.signal;
      },
      async onMessage(delivery) {
        await seen.onMessage(delivery);
        await handling.promise;
      },
    });
    await waitFor(() => rabbit.ping().then(() => true));
    await rabbit.publisher().publish(aMessage());
    await waitFor(() => seen.received.length === 1);
    permission.abort(new Error('the number changes'));
    permission = undefined;
    await rabbit.publisher().publish(aMessage());
    handling.resolve();
    // the first message was acknowledged, and the second was never delivered
    const admin = await openEventQueueAdmin({
      url: bench.broker.url(),
      services: [{ service: 'tasks', bindings: [] }],
      telemetry: createTelemetry({ service: 'test', stream: silent() }),
    });
    const state = { name: queue, messages: 1, consumers: 0 };
    await waitFor(async () => isDeepStrictEqual(await admin.state(), [state]));
    await admin.close();
    expect(await rabbit.ping().catch(String)).to.include(`not connected for consuming ${queue}`);
    expect(seen.received).to.have.length(1);
    permission = new AbortController();
    await waitFor(() => seen.received.length === 2);
  }).timeout(30_000);
});
