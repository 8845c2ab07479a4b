import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { appendEvents, createNotifier, insertEvents } from '@taskwire/outbox';
import { createRabbit, eventQueue, serviceTopology, type Delivery, type Rabbit } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';
import { startFaultProxy, type FaultProxy } from '@taskwire/process-supervisor';
import { silent, testBroker, waitFor, type TestBroker } from '@taskwire/testing';
import { anEvent, createBench, type Bench } from './bench.ts';
import { fakePublisher } from './fake-publisher.ts';

const failoverMs = 5_000;

const networkTo = async (url: string): Promise<FaultProxy> =>
  await startFaultProxy({ targetPort: Number(new URL(url).port) });

function through({ port }: FaultProxy, target: string): string {
  const url = new URL(target);
  url.port = String(port);
  return url.href;
}

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

  it('fail over within 5 s when the network to the leader is cut without notice', async () => {
    const [first, second] = [fakePublisher(() => 'confirmed'), fakePublisher(() => 'confirmed')];
    const leader = bench.relay(first, {}, through(network, bench.database.url));
    const standby = bench.relay(second);
    await leader.start();
    await waitFor(() => leader.isLeader());
    await standby.start();
    await insertEvents(bench.database.db.pool, [anEvent(1)]);
    await waitFor(() => first.taken.length === 1);
    network.set({ kind: 'half_open' });
    const cutAt = performance.now();
    await insertEvents(bench.database.db.pool, [anEvent(2)]);
    await waitFor(() => second.taken.length > 0, { timeoutMs: 15_000 });
    expect(performance.now() - cutAt).to.be.lessThan(failoverMs);
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
    let broker: TestBroker;
    let rabbit: Rabbit;
    let received: Delivery[];
    const children: ChildProcess[] = [];

    beforeEach(async () => {
      broker = await testBroker();
      received = [];
      const telemetry = createTelemetry({ service: 'notifications', stream: silent() });
      const topology = serviceTopology({ service: 'notifications', bindings: ['tasks.task.changed'] });
      rabbit = createRabbit({ url: broker.url('notifications'), name: 'test', telemetry, topology });
      rabbit.consume({
        queue: eventQueue('notifications'),
        prefetch: 500,
        onMessage: async (delivery) => void received.push(delivery),
      });
      await rabbit.start();
      await waitFor(() => rabbit.ping().then(() => true));
    });
    afterEach(async () => {
      for (const child of children.splice(0)) child.kill('SIGKILL');
      await rabbit.stop();
      await broker.drop();
    });

    /** Payload numbers of first copies, by aggregate. */
    function consumed(): Map<string, number[]> {
      const seen = new Set<string | undefined>();
      const first = received.filter(({ messageId }) => !seen.has(messageId) && seen.add(messageId));
      const byAggregate = Map.groupBy(first, ({ headers }) => String(headers['aggregate_id']));
      const numberOf = ({ body }: Delivery): number => (JSON.parse(body.toString()) as { n: number }).n;
      return new Map([...byAggregate].map(([id, deliveries]) => [id, deliveries.map(numberOf)]));
    }

    const inOrder = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

    function startProcess(): ChildProcess {
      const script = fileURLToPath(new URL('relay-process.ts', import.meta.url));
      const child = spawn(process.execPath, [script, bench.database.url, broker.url('tasks')], { stdio: 'ignore' });
      children.push(child);
      return child;
    }

    async function append(from: number, to: number): Promise<void> {
      for (let n = from; n < to; n++) {
        const aggregates = ['a', 'b', 'c'];
        await insertEvents(
          bench.database.db.pool,
          aggregates.map((id) => anEvent(n, id)),
        );
      }
    }

    async function expectAll(count: number): Promise<void> {
      await waitFor(async () => (await bench.rows()).length === 0, { timeoutMs: 20_000 });
      await waitFor(() => [...consumed().values()].flat().length === 3 * count);
      for (const id of ['a', 'b', 'c']) expect(consumed().get(id)).to.deep.equal(inOrder(count));
    }

    it('fail over within 5 s when the leader is killed, and lose, duplicate or reorder no event', async () => {
      const first = startProcess();
      await append(0, 20);
      await waitFor(() => received.length > 0, { timeoutMs: 15_000 });
      startProcess();
      await append(20, 40);
      first.kill('SIGKILL');
      const killedAt = performance.now();
      const before = received.length;
      await append(40, 60);
      await waitFor(() => received.length > before, { timeoutMs: 15_000 });
      expect(performance.now() - killedAt).to.be.lessThan(failoverMs);
      await expectAll(60);
    });

    it('lose, duplicate or reorder no event when connections to the broker break', async () => {
      const toBroker = await networkTo(broker.url('tasks'));
      const telemetry = createTelemetry({ service: 'tasks', stream: silent() });
      const topology = serviceTopology({ service: 'tasks', bindings: [] });
      const url = through(toBroker, broker.url('tasks'));
      const publishing = createRabbit({ url, name: 'test', telemetry, topology });
      await publishing.start();
      const relay = bench.relay(publishing.publisher(), {});
      await append(0, 200);
      await relay.start();
      for (let cut = 1; cut <= 3; cut++) {
        await waitFor(() => received.length > cut * 50, { timeoutMs: 10_000 });
        toBroker.reset();
      }
      await expectAll(200);
      await relay.stop();
      await publishing.stop();
      await toBroker.stop();
    });

    it('block an aggregate whose event no queue is bound for, and publish in order once a queue is bound', async () => {
      const telemetry = createTelemetry({ service: 'tasks', stream: silent() });
      const publishing = createRabbit({
        url: broker.url('tasks'),
        name: 'test',
        telemetry,
        topology: serviceTopology({ service: 'tasks', bindings: [] }),
      });
      await publishing.start();
      const relay = bench.relay(publishing.publisher());
      const strange = { type: 'tasks.task.unheard_of', aggregateId: 'a', payload: { n: 0 } };
      await insertEvents(bench.database.db.pool, [strange, anEvent(1, 'a'), anEvent(0, 'b')]);
      await relay.tick();
      await waitFor(() => consumed().has('b'));
      expect(await bench.rows()).to.have.length(2);
      const binding = `/bindings/${broker.vhost}/e/taskwire.events/q/${eventQueue('notifications')}`;
      await broker.management.call('POST', binding, { routing_key: 'tasks.task.unheard_of' });
      await waitFor(async () => (await relay.tick(), (await bench.rows()).length === 0));
      await waitFor(() => consumed().get('a')?.length === 2);
      expect(consumed().get('a')).to.deep.equal([0, 1]);
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
