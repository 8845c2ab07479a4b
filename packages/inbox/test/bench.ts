import { randomUUIDv7 } from 'node:crypto';
import { z } from 'zod';
import { createInbox, defineHandler, done, inboxMigrations } from '@taskwire/inbox';
import type { Handler, HandlerContext, Inbox, InboxOptions, Order, Outcome } from '@taskwire/inbox';
import { publisherOf } from '@taskwire/contracts';
import { createDatabase, query, type Database } from '@taskwire/postgres';
import { createRabbit, eventQueue, serviceTopology } from '@taskwire/rabbit';
import type { OutgoingMessage, Rabbit } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';
import { startFaultProxy, type FaultProxy } from '@taskwire/process-supervisor';
import { silent, testBroker, testDatabase, waitFor, type TestBroker, type TestDatabase } from '@taskwire/testing';

export type Decide = (context: HandlerContext) => Outcome | Promise<Outcome>;

/** A consuming service on a fresh database and vhost; its database is reached through a network that can fail. */
export type Bench = {
  database: TestDatabase;
  /** Between the consumer and its database. */
  network: FaultProxy;
  broker: TestBroker;
  /** Starts a consumer process, as it were. */
  start(
    handlers: Handler[],
    options?: Pick<InboxOptions, 'limits' | 'claimWhile' | 'ignore' | 'senders'>,
  ): Promise<Inbox>;
  publish(...events: OutgoingMessage[]): Promise<void>;
  /** Resolves when each of these is done, or recorded. */
  taken(...events: OutgoingMessage[]): Promise<void>;
  /** Message ids in the order of their effects. */
  effects(): Promise<string[]>;
  rows(table: 'inbox' | 'inbox_retries' | 'dead_letters'): Promise<Record<string, unknown>[]>;
  /** Whether a process consumes, so that the queues and bindings are there. */
  consuming(): Promise<boolean>;
  /** Makes everything that is to be tried again due now. */
  makeDue(): Promise<void>;
  drop(): Promise<void>;
};

const service = 'notifications';
/** Nothing is tried again unless a test says so. */
export const never = { backOff: { baseMs: 3_600_000_000, capMs: 3_600_000_000 } };
export const atOnce = { backOff: { baseMs: 1, capMs: 1 } };

export async function createBench(): Promise<Bench> {
  const database = await testDatabase([inboxMigrations]);
  const broker = await testBroker();
  const network = await startFaultProxy({ targetPort: Number(new URL(database.url).port) });
  const databaseUrl = new URL(database.url);
  databaseUrl.port = String(network.port);
  await query(database.db.pool, 'CREATE TABLE effects (place serial PRIMARY KEY, message_id uuid NOT NULL)');
  const telemetry = createTelemetry({ service, stream: silent() });
  const topology = serviceTopology({ service, bindings: ['tasks.#', 'auth.user.*'] });
  const connect = (): Rabbit => createRabbit({ url: broker.url(service), name: 'test', telemetry, topology });
  // events of all services
  const publishing = createRabbit({ url: broker.url(), name: 'test', telemetry, topology });
  await publishing.start();
  let latest: Rabbit | undefined;
  const stops: (() => Promise<void>)[] = [];

  return {
    database,
    network,
    broker,
    async start(handlers, options = {}) {
      const db: Database = await createDatabase({
        url: databaseUrl.href,
        poolSize: 10,
        applicationName: 'consumer',
        telemetry: createTelemetry({ service, stream: silent() }),
      });
      const rabbit = connect();
      await rabbit.start();
      latest = rabbit;
      const inbox = createInbox({ db, rabbit, queue: eventQueue(service), handlers, telemetry, ...options });
      await inbox.start();
      let stopped = false;
      const stop = async (): Promise<void> => {
        if (stopped) return;
        stopped = true;
        await inbox.stop();
        await rabbit.stop();
        await db.close();
      };
      stops.push(stop);
      return { ...inbox, stop };
    },
    async publish(...events) {
      const publisher = publishing.publisher();
      // a queue that was declared a moment ago may still refuse, or not be bound yet
      const sent = async (event: OutgoingMessage): Promise<boolean> => (await publisher.publish(event)) === 'confirmed';
      for (const event of events) await waitFor(() => sent(event), { what: 'the queue to take a message' });
    },
    async taken(...events) {
      const ids = events.map((event) => event.messageId);
      await waitFor(
        async () => {
          const sql = 'SELECT DISTINCT message_id FROM inbox WHERE message_id = ANY ($1::uuid[])';
          return (await query(database.db.pool, sql, [ids])).length === ids.length;
        },
        { timeoutMs: 15_000, what: `${ids.length} messages to be taken over` },
      );
    },
    async effects() {
      const sql = 'SELECT message_id FROM effects ORDER BY place';
      return (await query<{ message_id: string }>(database.db.pool, sql)).map((row) => row.message_id);
    },
    rows: async (table) => await query(database.db.pool, `SELECT * FROM ${table}`),
    consuming: async () => {
      await latest?.ping();
      return latest !== undefined;
    },
    async makeDue() {
      await query(database.db.pool, `UPDATE inbox_retries SET next_attempt_at = now() WHERE state = 'retry'`);
    },
    async drop() {
      network.heal();
      for (const stop of stops) await stop();
      await publishing.stop();
      await network.stop();
      await database.drop();
      await broker.drop();
    },
  };
}

/** Notes the message in the table `effects`. */
export function noteEffect({ messageId }: HandlerContext): Outcome {
  return done(async (tx) => void (await query(tx, 'INSERT INTO effects (message_id) VALUES ($1)', [messageId])));
}

export function aHandler(handler: { type?: string; name?: string; order?: Order; decide?: Decide } = {}): Handler {
  const { type = 'tasks.#', name = type, order = 'through_retry', decide = noteEffect } = handler;
  const schema = z.object({ n: z.number() });
  return defineHandler({ type, name, order, schema, handle: async (_event, context) => await decide(context) });
}

export function anEvent(event: Partial<OutgoingMessage> & { aggregateId?: string } = {}): OutgoingMessage {
  const { aggregateId = 'a', headers, routingKey = 'tasks.task.created', ...rest } = event;
  return {
    messageId: randomUUIDv7(),
    routingKey,
    body: Buffer.from('{"n":1}'),
    headers: { schema_version: 1, aggregate_id: aggregateId, ...headers },
    timestamp: Math.floor(Date.now() / 1000),
    appId: publisherOf(routingKey),
    ...rest,
  };
}

export function someEvents(count: number, aggregateId = 'a'): OutgoingMessage[] {
  return Array.from({ length: count }, () => anEvent({ aggregateId }));
}

/** The headers of an event as they are kept, with what the broker said of how it came. */
export function keptHeaders({ headers, routingKey }: OutgoingMessage): object {
  return { ...headers, 'x-taskwire-provenance': { exchange: 'taskwire.events', routingKey } };
}
