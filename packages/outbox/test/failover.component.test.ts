import { expect } from 'chai';
import { appendEvents, createNotifier, insertEvents } from '@taskwire/outbox';
import { createRabbit, eventQueue, serviceTopology } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';
import type { FaultProxy } from '@taskwire/process-supervisor';
import { silent, waitFor } from '@taskwire/testing';
import { anEvent, createBench, type Bench } from './bench.ts';
import { createBrokerBench, networkTo, through, type BrokerBench } from './broker-bench.ts';
import { fakePublisher } from './fake-publisher.ts';

describe('relays of one outbox', () => {
  let bench: Bench;
  let network: FaultProxy;
  beforeEach(async () => {
    bench = await createBench();
    network = await networkTo(bench.database.url);
  });
  afterEach(async () => {
    network.heal();
    await bench.drop();
    await network.stop();
  });

  it('stop within the shutdown timeout of a process when the database is unreachable without notice', async () => {
    const confirm = Promise.withResolvers<'confirmed'>();
    const publisher = fakePublisher(async () => await confirm.promise);
    const relay = bench.relay(publisher, {}, through(network, bench.database.url));
    await relay.start();
    await insertEvents(bench.database.db.pool, [anEvent(1)]);
    await waitFor(() => publisher.asked.length === 1);
    network.set({ kind: 'half_open' });
    // now it has something to delete
    confirm.resolve('confirmed');
    const startedAt = performance.now();
    await relay.stop();
    expect(performance.now() - startedAt).to.be.lessThan(8_000);
  });

  it('stop publishing when they lose the lock', async () => {
    const publisher = fakePublisher(() => 'confirmed');
    const relay = bench.relay(publisher, {}, through(network, bench.database.url));
    await relay.start();
    await waitFor(() => relay.isLeader());
    network.set({ kind: 'cut' });
    await waitFor(() => !relay.isLeader());
    await insertEvents(bench.database.db.pool, [anEvent(1)]);
    network.heal();
    await waitFor(() => publisher.taken.length === 1, { timeoutMs: 10_000 });
  });

  describe('with a broker', () => {
    let around: BrokerBench;
    beforeEach(async () => (around = await createBrokerBench(bench)));
    afterEach(async () => await around.drop());

    it('lose, duplicate or reorder no event when connections to the broker break', async () => {
      const toBroker = await networkTo(around.broker.url('tasks'));
      const telemetry = createTelemetry({ service: 'tasks', stream: silent() });
      const topology = serviceTopology({ service: 'tasks', bindings: [] });
      const url = through(toBroker, around.broker.url('tasks'));
      const publishing = createRabbit({ url, name: 'test', telemetry, topology });
      await publishing.start();
      const relay = bench.relay(publishing.publisher(), {});
      await around.append(0, 200);
      await relay.start();
      for (let cut = 1; cut <= 3; cut++) {
        await waitFor(() => around.received.length > cut * 50, { timeoutMs: 10_000 });
        toBroker.reset();
      }
      await around.expectAll(200);
      await relay.stop();
      await publishing.stop();
      await toBroker.stop();
    });

    it('block an aggregate whose event no queue is bound for, and publish in order once a queue is bound', async () => {
      const telemetry = createTelemetry({ service: 'tasks', stream: silent() });
      const publishing = createRabbit({
        url: around.broker.url('tasks'),
        name: 'test',
        telemetry,
        topology: serviceTopology({ service: 'tasks', bindings: [] }),
      });
      await publishing.start();
      const relay = bench.relay(publishing.publisher());
      const strange = { type: 'tasks.task.unheard_of', aggregateId: 'a', payload: { n: 0 } };
      await insertEvents(bench.database.db.pool, [strange, anEvent(1, 'a'), anEvent(0, 'b')]);
      await relay.tick();
      await waitFor(() => around.consumed().has('b'));
      expect(await bench.rows()).to.have.length(2);
      const binding = `/bindings/${around.broker.vhost}/e/taskwire.events/q/${eventQueue('notifications')}`;
      await around.broker.management.call('POST', binding, { routing_key: 'tasks.task.unheard_of' });
      await waitFor(async () => (await relay.tick(), (await bench.rows()).length === 0));
      await waitFor(() => around.consumed().get('a')?.length === 2);
      expect(around.consumed().get('a')).to.deep.equal([0, 1]);
      await relay.stop();
      await publishing.stop();
    });
  });

  it('are woken across processes, at most once in 50 ms by each notifier', async () => {
    const publisher = fakePublisher(() => 'confirmed');
    const relay = bench.relay(publisher);
    await relay.start();
    await waitFor(() => relay.isLeader());
    const { db } = bench.database;
    let notifies = 0;
    const listener = await db.pool.connect();
    await listener.query('LISTEN outbox');
    listener.on('notification', () => (notifies += 1));
    const logger = createTelemetry({ service: 'tasks', stream: silent() }).logger;
    const notifier = createNotifier({ db, logger });
    const startedAt = performance.now();
    for (let n = 0; n < 100; n++) {
      await db.transaction(async (tx) => await appendEvents(tx, [anEvent(n)]));
    }
    await waitFor(() => publisher.taken.length === 100);
    const elapsedMs = performance.now() - startedAt;
    expect(notifies).to.be.within(1, Math.ceil(elapsedMs / 50) + 1);
    await notifier.stop();
    await listener.query('UNLISTEN *');
    listener.release();
  });
});
