import { defineHandler, createInbox, done, inboxMigrations } from '@taskwire/inbox';
import type { Handler, Inbox, InboxLimits, Order, Outcome } from '@taskwire/inbox';
import { query } from '@taskwire/postgres';
import { createRabbit, eventQueue, serviceTopology } from '@taskwire/rabbit';
import type { OutgoingMessage, Rabbit } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, testBroker, testDatabase, waitFor, type TestBroker, type TestDatabase } from '@taskwire/testing';
import { randomUUIDv7 } from 'node:crypto';
import { z } from 'zod';

/** A consumer on a fresh database and vhost. */
export type Bench = {
  database: TestDatabase;
  broker: TestBroker;
  rabbit: Rabbit;
  inbox(): Inbox;
  /** A handler that by default notes the message in the table `effects`. */
  counting(options: {
    type: string;
    order?: Order;
    outcome?: (messageId: string, type: string) => Outcome | Promise<Outcome>;
  }): Handler;
  start(handlers: Handler[], limits?: Partial<InboxLimits>): Promise<void>;
  publish(event: OutgoingMessage): Promise<void>;
  /** Each of these is done, or recorded. */
  taken(...events: OutgoingMessage[]): Promise<void>;
  /** Message ids in the order of their effects. */
  effects(): Promise<string[]>;
  rows(table: 'inbox' | 'inbox_retries' | 'dead_letters'): Promise<Record<string, unknown>[]>;
  drop(): Promise<void>;
};

const service = 'notifications';

export async function createBench(): Promise<Bench> {
  const database = await testDatabase([inboxMigrations]);
  const broker = await testBroker();
  const { db } = database;
  await query(db.pool, 'CREATE TABLE effects (place serial PRIMARY KEY, message_id uuid NOT NULL)');
  const telemetry = createTelemetry({ service, stream: silent() });
  const topology = serviceTopology({ service, bindings: ['tasks.#'] });
  const rabbit = createRabbit({ url: broker.url(service), name: 'test', telemetry, topology });
  const publisher = rabbit.publisher();
  await rabbit.start();
  let inbox: Inbox | undefined;

  const noteEffect = (messageId: string): Outcome =>
    done(async (tx) => void (await query(tx, 'INSERT INTO effects (message_id) VALUES ($1)', [messageId])));

  return {
    database,
    broker,
    rabbit,
    inbox() {
      if (inbox === undefined) throw new Error('not started');
      return inbox;
    },
    counting: ({ type, order = 'through_retry', outcome = noteEffect }) =>
      defineHandler({
        type,
        order,
        schema: z.object({ n: z.number() }),
        handle: async (_event, context) => await outcome(context.messageId, context.type),
      }),
    async start(handlers, limits = {}) {
      inbox = createInbox({ db, rabbit, queue: eventQueue(service), handlers, telemetry, limits });
      await inbox.start();
    },
    async publish(event) {
      const outcome = await publisher.publish(event);
      if (outcome !== 'confirmed') throw new Error(outcome);
    },
    async taken(...events) {
      const ids = events.map((event) => event.messageId);
      await waitFor(
        async () => {
          const found = await query(db.pool, 'SELECT FROM inbox WHERE message_id = ANY ($1::uuid[])', [ids]);
          return found.length === ids.length;
        },
        { timeoutMs: 15_000, what: `${ids.length} messages to be taken over` },
      );
    },
    effects: async () =>
      (await query<{ message_id: string }>(db.pool, 'SELECT message_id FROM effects ORDER BY place')).map(
        (row) => row.message_id,
      ),
    rows: async (table) => await query(db.pool, `SELECT * FROM ${table}`),
    async drop() {
      await inbox?.stop();
      await rabbit.stop();
      await database.drop();
      await broker.drop();
    },
  };
}

export function anEvent(event: Partial<OutgoingMessage> & { type: string; aggregateId?: string }): OutgoingMessage {
  const { type, aggregateId = 'a', headers, ...rest } = event;
  return {
    messageId: randomUUIDv7(),
    routingKey: type,
    body: Buffer.from('{"n":1}'),
    headers: { schema_version: 1, aggregate_id: aggregateId, ...headers },
    timestamp: Math.floor(Date.now() / 1000),
    appId: 'tasks',
    ...rest,
  };
}
