import { expect } from 'chai';
import { deadQueue, eventQueue, type Delivery } from '@taskwire/rabbit';
import { waitFor } from '@taskwire/testing';
import { aMessage, collector, createBench, type Bench } from './bench.ts';

describe('consumer', () => {
  let bench: Bench;
  const queue = eventQueue('tasks');
  beforeEach(async () => (bench = await createBench()));
  afterEach(async () => await bench.drop());

  it('delivers each message with its properties and headers', async () => {
    const rabbit = await bench.rabbit();
    const seen = collector();
    rabbit.consume({ queue, prefetch: 10, onMessage: seen.onMessage });
    const message = aMessage({ correlationId: 'request-1', headers: { schema_version: 1, aggregate_id: 'a' } });
    await rabbit.publisher().publish(message);
    await waitFor(() => seen.received.length === 1);
    expect(seen.received[0]).to.deep.include({
      messageId: message.messageId,
      type: 'auth.user.created',
      routingKey: 'auth.user.created',
      correlationId: 'request-1',
      timestamp: message.timestamp,
      contentType: 'application/json',
      redelivered: false,
      deliveryCount: 0,
      body: message.body,
    });
  });

  it('continues consuming after its queue was deleted and declared again', async () => {
    const rabbit = await bench.rabbit();
    const seen = collector();
    rabbit.consume({ queue, prefetch: 10, onMessage: seen.onMessage });
    await rabbit.publisher().publish(aMessage());
    await waitFor(() => seen.received.length === 1);
    await bench.broker.management.call('DELETE', `/queues/${bench.broker.vhost}/${queue}`);
    await waitFor(async () => (await rabbit.publisher().publish(aMessage())) === 'confirmed');
    await waitFor(() => seen.received.length === 2);
  });

  it('receives unacknowledged messages again after its connection was lost', async () => {
    const rabbit = await bench.rabbit();
    const seen: Delivery[] = [];
    let release: (() => void) | undefined;
    rabbit.consume({
      queue,
      prefetch: 10,
      onMessage: async (delivery) => {
        seen.push(delivery);
        if (seen.length === 1) await new Promise<void>((resolve) => (release = resolve));
      },
    });
    await rabbit.publisher().publish(aMessage());
    await waitFor(() => seen.length === 1);
    bench.network.set({ kind: 'cut' });
    bench.network.heal();
    await waitFor(() => seen.length === 2);
    release?.();
    expect(seen[0]?.signal.aborted).to.equal(true);
    expect(seen[1]).to.include({ messageId: seen[0]?.messageId, deliveryCount: 1 });
  });

  it('requeues a message after a pause when it was neither handled nor recorded', async () => {
    const rabbit = await bench.rabbit();
    const counts: number[] = [];
    rabbit.consume({
      queue,
      prefetch: 10,
      requeuePauseMs: 50,
      onMessage: async (delivery) => {
        counts.push(delivery.deliveryCount);
        if (counts.length < 3) throw new Error('cannot even be recorded');
      },
    });
    await rabbit.publisher().publish(aMessage());
    await waitFor(() => counts.length === 3, { timeoutMs: 10_000 });
    expect(counts).to.deep.equal([0, 1, 2]);
  });

  it('finds messages that exceeded the delivery limit in the dead-letter queue, with the reason', async () => {
    const rabbit = await bench.rabbit();
    const dead = collector();
    const onMessage = () => Promise.reject(new Error('kills its process'));
    rabbit.consume({ queue, prefetch: 10, requeuePauseMs: 50, onMessage });
    rabbit.consume({ queue: deadQueue('tasks'), prefetch: 10, onMessage: dead.onMessage });
    const message = aMessage();
    await rabbit.publisher().publish(message);
    await waitFor(() => dead.received.length === 1, { timeoutMs: 20_000 });
    expect(dead.received[0]).to.include({ messageId: message.messageId, type: message.routingKey });
    expect(dead.received[0]?.deaths[0]).to.include({ reason: 'delivery_limit', queue });
  });

  it('consumes no message until it is ready, and fails the readiness check until then', async () => {
    const rabbit = await bench.rabbit();
    const seen = collector();
    let isReady = false;
    rabbit.consume({
      queue,
      prefetch: 10,
      onMessage: seen.onMessage,
      ready: async () => {
        if (!isReady) throw new Error('not yet');
      },
    });
    await waitFor(async () => (await rabbit.publisher().publish(aMessage())) === 'confirmed' || undefined).catch(
      () => undefined,
    );
    const refused = await rabbit.ping().catch((error: unknown) => String(error));
    expect(refused).to.include(queue);
    expect(seen.received).to.deep.equal([]);
    isReady = true;
    await waitFor(() => seen.received.length === 1);
    await rabbit.ping();
  });

  it('finishes the messages in progress before it stops, and returns the others in order', async () => {
    const rabbit = await bench.rabbit();
    const messages = Array.from({ length: 6 }, () => aMessage());
    for (const message of messages) await rabbit.publisher().publish(message);
    const started: Delivery[] = [];
    let release: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const consumer = rabbit.consume({
      queue,
      prefetch: 3,
      onMessage: async (delivery) => {
        started.push(delivery);
        await gate;
      },
    });
    await waitFor(() => started.length === 3);
    const stopped = consumer.stop();
    release?.();
    await stopped;
    const seen = collector();
    rabbit.consume({ queue, prefetch: 1, onMessage: seen.onMessage });
    await waitFor(() => seen.received.length === 3);
    expect(seen.ids()).to.deep.equal(messages.slice(3).map((message) => message.messageId));
  });

  it('has one active consumer at a time, and the next continues where it stopped', async () => {
    const [first, second] = [await bench.rabbit(), await bench.rabbit()];
    const [one, two] = [collector(), collector()];
    const active = first.consume({ queue, prefetch: 10, onMessage: one.onMessage });
    await waitFor(() => first.ping().then(() => true));
    second.consume({ queue, prefetch: 10, onMessage: two.onMessage });
    await waitFor(() => second.ping().then(() => true));
    for (let i = 0; i < 5; i++) await first.publisher().publish(aMessage());
    await waitFor(() => one.received.length === 5);
    expect(two.received).to.deep.equal([]);
    await active.stop();
    await first.publisher().publish(aMessage());
    await waitFor(() => two.received.length === 1);
  });
});
