import { z } from 'zod';
import { subscriptions } from '@taskwire/contracts';
import { createInbox, defineHandler, done, inboxMigrations, type Inbox } from '@taskwire/inbox';
import { createRelay, insertEvents, outboxMigrations, type Relay } from '@taskwire/outbox';
import { createPartitionWatch, partitionMigrations, type PartitionWatch } from '@taskwire/partitions';
import { createDatabase, query } from '@taskwire/postgres';
import { startFaultProxy, type FaultProxy } from '@taskwire/process-supervisor';
import { createRabbit, eventQueue, eventQueues, serviceTopology, type Rabbit } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';
import { testBroker, type TestBroker, type TestService } from './broker.ts';
import { testDatabase, type TestDatabase } from './database.ts';
import { silent } from './silent.ts';
import { simulateWork } from './simulate-work.ts';

/** The messaging of a suite: Tasks publishes events from its outbox, and Notifications consumes them, in any number of processes and partitions. */
export type PartitionedSuite = {
  broker: TestBroker;
  databases: Readonly<Record<TestService, TestDatabase>>;
  /** Starts a process that relays the events of Tasks and one that consumes for Notifications. Rejects if the `start` of one of them rejects. */
  start(count: number, options?: { served?: readonly number[]; handleMs?: () => number }): Promise<PartitionWorker>;
  /** Appends the next event of each of these aggregates. */
  append(...aggregateIds: string[]): Promise<void>;
  /** The numbers of the events of each aggregate in the order of their effects. */
  effects(): Promise<Map<string, number[]>>;
  /** The result of `effects` if every event was handled once and in order. */
  expected(): Map<string, number[]>;
  /** Forgets the events so far, which must all have been handled. The numbers of later events begin again. */
  forget(): Promise<void>;
  /** The event queues that exist. */
  queues(): Promise<string[]>;
  drop(): Promise<void>;
};

export type PartitionWorker = {
  relay: Relay;
  inbox: Inbox;
  /** The broker clients of both processes. */
  rabbits: readonly Rabbit[];
  watches: readonly PartitionWatch[];
  /** The network between both processes and the broker. */
  network: FaultProxy;
  stop(): Promise<void>;
};

const services: readonly TestService[] = ['auth', 'tasks', 'notifications'];
const migrations = [outboxMigrations, inboxMigrations, partitionMigrations];

export async function createPartitionedSuite(): Promise<PartitionedSuite> {
  const broker = await testBroker();
  const databases = Object.fromEntries(
    await Promise.all(services.map(async (service) => [service, await testDatabase(migrations)] as const)),
  ) as Record<TestService, TestDatabase>;
  const { pool } = databases.notifications.db;
  await query(pool, 'CREATE TABLE effects (place serial PRIMARY KEY, aggregate_id text NOT NULL, n integer NOT NULL)');
  const appended = new Map<string, number>();
  const workers: PartitionWorker[] = [];

  return {
    broker,
    databases,
    async start(count, { served = Array.from({ length: count }, (_, index) => index), handleMs = () => 0 } = {}) {
      const network = await startFaultProxy({ targetPort: Number(new URL(broker.url()).port) });
      const parts = { count, served, handleMs, network, broker, databases };
      const publishing = await publishingProcess(parts);
      const consuming = await consumingProcess(parts);
      let stopped = false;
      const worker: PartitionWorker = {
        ...{ relay: publishing.relay, inbox: consuming.inbox, network },
        rabbits: [publishing.rabbit, consuming.rabbit],
        watches: [publishing.watch, consuming.watch],
        async stop() {
          if (stopped) return;
          stopped = true;
          await Promise.all([publishing.stop(), consuming.stop()]);
          await network.stop();
        },
      };
      workers.push(worker);
      for (const { watch } of [publishing, consuming]) {
        await watch.start().catch(async (error: unknown) => {
          await worker.stop();
          throw error;
        });
      }
      for (const part of [publishing.rabbit, publishing.relay, consuming.rabbit, consuming.inbox]) await part.start();
      return worker;
    },
    async append(...aggregateIds) {
      for (const aggregateId of aggregateIds) {
        const n = appended.get(aggregateId) ?? 0;
        appended.set(aggregateId, n + 1);
        await insertEvents(databases.tasks.db.pool, [{ type: 'tasks.task.changed', aggregateId, payload: { n } }]);
      }
    },
    async effects() {
      const sql = 'SELECT aggregate_id, n FROM effects ORDER BY place';
      const rows = await query<{ aggregate_id: string; n: number }>(pool, sql);
      const byAggregate = Map.groupBy(rows, (row) => row.aggregate_id);
      return new Map([...byAggregate].map(([id, found]) => [id, found.map(({ n }) => n)]));
    },
    expected: () => new Map([...appended].map(([id, count]) => [id, Array.from({ length: count }, (_, n) => n)])),
    async forget() {
      appended.clear();
      await query(pool, 'TRUNCATE effects');
    },
    async queues() {
      const found = await broker.management.call<{ name: string }[]>('GET', `/queues/${broker.vhost}`);
      return found.map(({ name }) => name).filter((name) => !name.endsWith('.dead'));
    },
    async drop() {
      for (const worker of workers) {
        worker.network.heal();
        await worker.stop();
      }
      await Promise.all([broker.drop(), ...Object.values(databases).map((database) => database.drop())]);
    },
  };
}

type Parts = {
  count: number;
  served: readonly number[];
  handleMs: () => number;
  network: FaultProxy;
  broker: TestBroker;
  databases: Readonly<Record<TestService, TestDatabase>>;
};

/** Opens the parts that both processes have: database, partition watch and broker, with the permissions of the service. */
async function openProcess(service: 'tasks' | 'notifications', { count, served, network, broker, databases }: Parts) {
  const telemetry = createTelemetry({ service, stream: silent() });
  const { url } = databases[service];
  const db = await createDatabase({ url, poolSize: 10, applicationName: 'test', telemetry });
  const watch = createPartitionWatch({ db, partitions: { count, served }, telemetry });
  const amqp = new URL(broker.url(service));
  amqp.port = String(network.port);
  const rabbit = createRabbit({
    ...{ url: amqp.href, name: service, telemetry, mayDeclare: watch.mayDeclare },
    topology: serviceTopology({ service, bindings: subscriptions[service], partitions: count }),
  });
  return { telemetry, db, watch, rabbit };
}

async function publishingProcess(parts: Parts) {
  const { telemetry, db, watch, rabbit } = await openProcess('tasks', parts);
  const relay = createRelay({
    ...{ databaseUrl: db.url, publisher: rabbit.publisher(), telemetry, appId: 'tasks' },
    ...{ partitions: watch.partitions, permission: watch.relaying },
  });
  const stop = async (): Promise<void> => {
    for (const part of [relay, rabbit, watch]) await part.stop();
    await db.close();
  };
  return { rabbit, watch, relay, stop };
}

async function consumingProcess(parts: Parts) {
  const { telemetry, db, watch, rabbit } = await openProcess('notifications', parts);
  const handler = defineHandler({
    name: 'record',
    type: 'tasks.#',
    schema: z.object({ n: z.number() }),
    order: 'through_retry',
    async handle({ n }, { aggregateId }) {
      await simulateWork(parts.handleMs());
      return done(async (tx) => {
        await query(tx, 'INSERT INTO effects (aggregate_id, n) VALUES ($1, $2)', [aggregateId, n]);
      });
    },
  });
  const queue = eventQueue('notifications');
  const inbox = createInbox({
    ...{ db, rabbit, queue, handlers: [handler], telemetry },
    ...{ queues: eventQueues('notifications', watch.partitions), permission: watch.consuming },
    // short, so that messages of a consumer that lost its connection are retried soon
    limits: { backOff: { baseMs: 5, capMs: 50 }, leaseMs: 1_000 },
  });
  const stop = async (): Promise<void> => {
    for (const part of [inbox, rabbit, watch]) await part.stop();
    await db.close();
  };
  return { rabbit, watch, inbox, stop };
}
