import { randomUUIDv7 } from 'node:crypto';
import { z } from 'zod';
import { publisherOf } from '@taskwire/contracts';
import { createDeadLetters, deadLetterEntity, type DeadLetters } from '@taskwire/dead-letters';
import { createInbox, defineHandler, done, inboxMigrations } from '@taskwire/inbox';
import type { Handler, HandlerContext, Inbox, InboxOptions, Order, Outcome } from '@taskwire/inbox';
import { startFaultProxy, type FaultProxy } from '@taskwire/process-supervisor';
import { createDatabase, query, type Database } from '@taskwire/postgres';
import { createRabbit, eventQueue, serviceTopology, type OutgoingMessage, type Rabbit } from '@taskwire/rabbit';
import { createTelemetry, type ReportError, type Telemetry } from '@taskwire/telemetry';
import { testBroker, type TestBroker } from './broker.ts';
import { testDatabase, type TestDatabase } from './database.ts';
import { silent } from './silent.ts';
import { waitFor } from './wait-for.ts';

export type Decide = (context: HandlerContext) => Outcome | Promise<Outcome>;

/** A consuming service on a fresh database and vhost. */
export type InboxHarness = {
  database: TestDatabase;
  deadLetters: DeadLetters;
  /** The network between the consumer and its database, which can fail. */
  network: FaultProxy;
  broker: TestBroker;
  /** Starts a consumer in the same way as a process of the service. */
  start(
    handlers: Handler[],
    options?: Pick<InboxOptions, 'limits' | 'claimWhile' | 'ignore' | 'senders'>,
  ): Promise<Inbox>;
  publish(...events: OutgoingMessage[]): Promise<void>;
  /** Resolves when each of these events has been handled or stored for a retry. */
  accepted(...events: OutgoingMessage[]): Promise<void>;
  /** Message ids in the order of their effects. */
  effects(): Promise<string[]>;
  rows(table: 'inbox' | 'inbox_pending' | 'dead_letters'): Promise<Record<string, unknown>[]>;
  /** Resolves when a process is consuming, so that the queues and bindings exist. */
  consuming(): Promise<void>;
  /** The error reports of all processes. */
  reports: Parameters<ReportError>[0][];
  /** Makes every message that awaits a retry due now. */
  makeDue(): Promise<void>;
  drop(): Promise<void>;
};

const service = 'notifications';
/** Back-offs that let a test decide when a message is retried (`makeDue`), or that retry at once. */
export const neverRetry = { backOff: { baseMs: 3_600_000_000, capMs: 3_600_000_000 } };
export const retryAtOnce = { backOff: { baseMs: 1, capMs: 1 } };

/** Gives each test of the surrounding `describe` its own harness, and drops the harness afterwards. */
export function useInboxHarness(): InboxHarness {
  let current: InboxHarness | undefined;
  beforeEach(async () => void (current = await createInboxHarness()));
  afterEach(async () => await current?.drop());
  // forwards each access to the harness of the running test
  return new Proxy({} as InboxHarness, {
    get(_target, name) {
      if (current === undefined) throw new Error('the harness exists only while a test runs');
      return Reflect.get(current, name) as unknown;
    },
  });
}

async function createInboxHarness(): Promise<InboxHarness> {
  const database = await testDatabase([inboxMigrations], { entities: [deadLetterEntity] });
  const { pool } = database.db;
  const broker = await testBroker();
  const network = await startFaultProxy({ targetPort: Number(new URL(database.url).port) });
  const databaseUrl = new URL(database.url);
  databaseUrl.port = String(network.port);
  await query(pool, 'CREATE TABLE effects (place serial PRIMARY KEY, message_id uuid NOT NULL)');
  const reports: Parameters<ReportError>[0][] = [];
  const telemetry: Telemetry = {
    ...createTelemetry({ service, stream: silent() }),
    reportError: (report) => void reports.push(report),
  };
  const topology = serviceTopology({ service, bindings: ['tasks.#', 'auth.user.*'] });
  const connect = (): Rabbit => createRabbit({ url: broker.url(service), name: 'test', telemetry, topology });
  // this connection may publish events of all services
  const publishing = createRabbit({ url: broker.url(), name: 'test', telemetry, topology });
  await publishing.start();
  let latest: Rabbit | undefined;
  const stops: (() => Promise<void>)[] = [];

  return {
    database,
    reports,
    deadLetters: createDeadLetters({ db: database.db }),
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
      const opened = [async () => await db.close(), async () => await rabbit.stop()];
      const stop = async (): Promise<void> => {
        for (const close of opened.splice(0).toReversed()) await close();
      };
      stops.push(stop);
      await rabbit.start();
      latest = rabbit;
      const inbox = createInbox({ db, rabbit, queue: eventQueue(service), handlers, telemetry, ...options });
      opened.push(async () => await inbox.stop());
      await inbox.start();
      return { ...inbox, stop };
    },
    async publish(...events) {
      const publisher = publishing.publisher();
      // a newly declared queue may still reject messages, or not be bound yet
      const sent = async (event: OutgoingMessage): Promise<boolean> => (await publisher.publish(event)) === 'confirmed';
      for (const event of events) await waitFor(() => sent(event), { what: 'the queue to accept a message' });
    },
    async accepted(...events) {
      const ids = idsOf(events);
      await waitFor(
        async () => {
          const sql = 'SELECT DISTINCT message_id FROM inbox WHERE message_id = ANY ($1::uuid[])';
          return (await query(pool, sql, [ids])).length === ids.length;
        },
        { timeoutMs: 15_000, what: `${ids.length} messages to be handled or stored` },
      );
    },
    async effects() {
      const sql = 'SELECT message_id FROM effects ORDER BY place';
      return (await query<{ message_id: string }>(pool, sql)).map((row) => row.message_id);
    },
    rows: async (table) => await query(pool, `SELECT * FROM ${table}`),
    async consuming() {
      // a consumer that has failed a few times pauses for up to 5 s
      await waitFor(async () => latest !== undefined && (await latest.ping().then(() => true)), { timeoutMs: 20_000 });
    },
    async makeDue() {
      await query(pool, `UPDATE inbox_pending SET next_attempt_at = now() WHERE state = 'retry'`);
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

/** Attempts due messages until none is left. */
export async function runRetries(inbox: Inbox): Promise<void> {
  while ((await inbox.tick()) === 'more');
}

/** An outcome whose effect records the message in the table `effects`. */
export function recordEffect({ messageId }: HandlerContext): Outcome {
  return done(async (tx) => void (await query(tx, 'INSERT INTO effects (message_id) VALUES ($1)', [messageId])));
}

export function testHandler(handler: { type?: string; name?: string; order?: Order; decide?: Decide } = {}): Handler {
  const { type = 'tasks.#', name = type, order = 'through_retry', decide = recordEffect } = handler;
  const schema = z.object({ n: z.number() });
  return defineHandler({ type, name, order, schema, handle: async (_event, context) => await decide(context) });
}

export function testEvent(event: Partial<OutgoingMessage> & { aggregateId?: string } = {}): OutgoingMessage {
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

export function testEvents(count: number, aggregateId = 'a'): OutgoingMessage[] {
  return Array.from({ length: count }, () => testEvent({ aggregateId }));
}

export function idsOf(events: readonly OutgoingMessage[]): string[] {
  return events.map(({ messageId }) => messageId);
}

/** The headers of an event as stored by the inbox, with the provenance that the broker reported. */
export function storedHeaders({ headers, routingKey }: OutgoingMessage): object {
  return { ...headers, 'x-taskwire-provenance': { exchange: 'taskwire.events', routingKey } };
}
