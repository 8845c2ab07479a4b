import { randomUUIDv7 } from 'node:crypto';
import amqp from 'amqplib';
import pg from 'pg';
import {
  DatabaseSetupExporter,
  getDisabledLogger,
  initializePollingMessageListener,
  type GeneralMessageHandler,
  type OutboxOrInbox,
} from 'pg-transactional-outbox';
import { publishEvent, samplePayload } from './bare-publish.ts';
import type { BenchServers } from './servers.ts';

/** The comparable package on npm: pg-transactional-outbox, with its polling listener on tables created by its own script. */
export const peerName = 'pg-transactional-outbox 0.5.7, polling';

/**
 * The batch size is the package's default of 5; sizes of 10 to 100 were no faster, since each poll examines all waiting messages. The default pause
 * of 500 ms between polls is reduced to almost nothing.
 */
const settings = { nextMessagesBatchSize: 5, nextMessagesPollingIntervalInMs: 10 };
const connections = 10;

type Handle = GeneralMessageHandler['handle'];

/**
 * Drains a backlog of events, each of which is confirmed, in the peer's faster mode, which keeps no order (`parallel`).
 * @returns events per second
 */
export async function drainByPeer(servers: BenchServers, count: number): Promise<number> {
  const { handle, close } = await openPublisher(servers);
  const rate = await drainBacklog(servers, 'outbox', count, handle);
  await close();
  return rate;
}

/**
 * Handles messages that are already in the peer's inbox table, with a one-row effect; moving them from the queue into that table is not counted.
 * @returns messages per second
 */
export async function consumeByPeer(servers: BenchServers, count: number): Promise<number> {
  return await drainBacklog(servers, 'inbox', count, async (_message, client) => {
    await client.query({ name: 'peer effect', text: 'INSERT INTO effects (id) VALUES (gen_random_uuid())' });
  });
}

/** Relays appended messages until it is stopped. */
export async function relayByPeer(
  servers: BenchServers,
  type: string,
): Promise<{ append(payload: object): Promise<void>; stop(): Promise<void> }> {
  const table = await createTable(servers, 'outbox');
  const pool = new pg.Pool({ connectionString: servers.databaseUrl, max: connections });
  const publisher = await openPublisher(servers);
  const stop = listen(servers, 'outbox', publisher.handle);
  const text = `INSERT INTO ${table} (id, aggregate_type, aggregate_id, message_type, concurrency, payload)
    VALUES ($1::uuid, 'task', $1::uuid::text, $2, 'parallel', $3)`;
  return {
    async append(payload) {
      await pool.query({ name: 'peer append', text, values: [randomUUIDv7(), type, payload] });
    },
    async stop() {
      await stop();
      await publisher.close();
      await pool.end();
    },
  };
}

async function openPublisher({ amqpUrl }: BenchServers): Promise<{ handle: Handle; close(): Promise<void> }> {
  const connection = await amqp.connect(amqpUrl, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  return {
    async handle({ id, messageType: type, aggregateId, payload }) {
      const event = { messageId: id, type, aggregateId, body: Buffer.from(JSON.stringify(payload)) };
      await new Promise<void>((resolve, reject) => {
        publishEvent(channel, event, (error) => (error === null ? resolve() : reject(error)));
      });
    },
    close: async () => await connection.close(),
  };
}

async function drainBacklog(servers: BenchServers, box: OutboxOrInbox, count: number, handle: Handle): Promise<number> {
  const table = await createTable(servers, box);
  const client = new pg.Client({ connectionString: servers.databaseUrl });
  await client.connect();
  await client.query(
    `INSERT INTO ${table} (id, aggregate_type, aggregate_id, message_type, concurrency, payload)
     SELECT gen_random_uuid(), 'task', gen_random_uuid(), 'tasks.task.assigned', 'parallel', $2::jsonb FROM generate_series(1, $1)`,
    [count, samplePayload()],
  );
  await client.query(`VACUUM ANALYZE ${table}`);
  const start = performance.now();
  const stop = listen(servers, box, handle);
  const waiting = `SELECT FROM ${table} WHERE processed_at IS NULL LIMIT 1`;
  while ((await client.query(waiting)).rowCount !== 0) await new Promise((resolve) => setTimeout(resolve, 20));
  const rate = (count / (performance.now() - start)) * 1000;
  await stop();
  await client.end();
  return rate;
}

async function createTable({ databaseUrl }: BenchServers, box: OutboxOrInbox): Promise<string> {
  const url = new URL(databaseUrl);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(
    DatabaseSetupExporter.createPollingScript({
      outboxOrInbox: box,
      database: url.pathname.slice(1),
      schema: 'public',
      table: `peer_${box}`,
      listenerRole: decodeURIComponent(url.username),
      nextMessagesName: `next_${box}_messages`,
    }),
  );
  await client.end();
  return `peer_${box}`;
}

function listen({ databaseUrl }: BenchServers, box: OutboxOrInbox, handle: Handle): () => Promise<void> {
  const dbListenerConfig = { connectionString: databaseUrl, max: connections };
  const [stop] = initializePollingMessageListener(
    {
      outboxOrInbox: box,
      dbListenerConfig,
      settings: {
        ...settings,
        ...{ dbSchema: 'public', dbTable: `peer_${box}`, nextMessagesFunctionName: `next_${box}_messages` },
        ...{ enableMaxAttemptsProtection: true, enablePoisonousMessageProtection: true },
      },
    },
    { handle },
    getDisabledLogger(),
  );
  return stop;
}
