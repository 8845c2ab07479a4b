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

/** The peer that can be installed: pg-transactional-outbox, its polling listener on tables that its own script makes. */
export const peerName = 'pg-transactional-outbox 0.5.7, polling';

/** Its own choice of 5 at a time; 10 to 100 were no faster, since each poll looks at all that waits. Of its 500 ms between polls little is left. */
const settings = { nextMessagesBatchSize: 5, nextMessagesPollingIntervalInMs: 10 };
const connections = 10;

/**
 * Events drained from a backlog, each confirmed. In the peer's faster mode, which keeps no order (`parallel`).
 * @returns events per second
 */
export async function drainByPeer(servers: BenchServers, count: number): Promise<number> {
  const connection = await amqp.connect(servers.amqpUrl, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  const rate = await run(servers, 'outbox', count, ({ id, messageType: type, aggregateId, payload }) => {
    const body = Buffer.from(JSON.stringify(payload));
    return new Promise((resolve, reject) =>
      publishEvent(channel, { messageId: id, type, aggregateId, body }, (error) => (error ? reject(error) : resolve())),
    );
  });
  await connection.close();
  return rate;
}

/**
 * Messages that are in its inbox already, handled with a one-row effect: how they get from the queue into that table is not counted.
 * @returns messages per second
 */
export async function consumeByPeer(servers: BenchServers, count: number): Promise<number> {
  return await run(servers, 'inbox', count, async (_message, client) => {
    await client.query({ name: 'peer effect', text: 'INSERT INTO effects (id) VALUES (gen_random_uuid())' });
  });
}

type Handle = GeneralMessageHandler['handle'];

async function run(servers: BenchServers, box: OutboxOrInbox, count: number, handle: Handle): Promise<number> {
  const table = `peer_${box}`;
  const nextMessages = `next_${box}_messages`;
  const client = new pg.Client({ connectionString: servers.databaseUrl });
  await client.connect();
  const login = decodeURIComponent(new URL(servers.databaseUrl).username);
  await client.query(
    DatabaseSetupExporter.createPollingScript({
      outboxOrInbox: box,
      ...{ database: 'bench', schema: 'public', table, listenerRole: login, nextMessagesName: nextMessages },
    }),
  );
  await client.query(
    `INSERT INTO ${table} (id, aggregate_type, aggregate_id, message_type, concurrency, payload)
     SELECT gen_random_uuid(), 'task', gen_random_uuid(), 'tasks.task.assigned', 'parallel', $2::jsonb FROM generate_series(1, $1)`,
    [count, samplePayload()],
  );
  await client.query(`VACUUM ANALYZE ${table}`);

  const dbListenerConfig = { connectionString: servers.databaseUrl, max: connections };
  const start = performance.now();
  const [stop] = initializePollingMessageListener(
    {
      outboxOrInbox: box,
      dbListenerConfig,
      settings: {
        ...settings,
        ...{ dbSchema: 'public', dbTable: table, nextMessagesFunctionName: nextMessages },
        ...{ enableMaxAttemptsProtection: true, enablePoisonousMessageProtection: true },
      },
    },
    { handle },
    getDisabledLogger(),
  );
  const left = async (): Promise<number> =>
    (await client.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table} WHERE processed_at IS NULL`)).rows[0]
      ?.n ?? 0;
  while ((await left()) > 0) await new Promise((resolve) => setTimeout(resolve, 50));
  const rate = (count / (performance.now() - start)) * 1000;
  await stop();
  await client.end();
  return rate;
}
