import amqp from 'amqplib';
import type { Pool } from 'pg';
import type { BenchServers } from './servers.ts';
import { benchQueue } from './messaging.ts';

/** Maximum number of unacknowledged messages. */
const prefetch = 100;
/** The number of messages that the inbox handles in one transaction. */
export const bareTogether = 50;

const effect = { name: 'bare effect', text: 'INSERT INTO effects (id) VALUES (gen_random_uuid())' };

/**
 * Runs the effect of each message and then acknowledges it: no deduplication, no validation, no order, no retries.
 * @returns a function that stops the consumer
 */
type ConsumeBare = (servers: BenchServers, pool: Pool, onEach: () => void) => Promise<() => Promise<void>>;

/** Each effect is a transaction, on any free connection. */
export const eachAlone: ConsumeBare = async ({ amqpUrl }, pool, onEach) => {
  const connection = await amqp.connect(amqpUrl, { noDelay: true });
  const channel = await connection.createChannel();
  await channel.prefetch(prefetch);
  const running = new Set<Promise<void>>();
  await channel.consume(benchQueue, (message) => {
    if (message === null) return;
    onEach();
    const done = pool.query(effect).then(() => {
      channel.ack(message);
      running.delete(done);
    });
    running.add(done);
  });
  return async () => {
    // a message that is not acknowledged would be delivered again, to the next consumer
    await Promise.all(running);
    await connection.close();
  };
};

/** Effects of messages that have arrived together share a transaction, and an acknowledgement. */
export const manyTogether: ConsumeBare = async ({ amqpUrl }, pool, onEach) => {
  const connection = await amqp.connect(amqpUrl, { noDelay: true });
  const channel = await connection.createChannel();
  await channel.prefetch(4 * bareTogether);
  const client = await pool.connect();
  let arrived: amqp.ConsumeMessage[] = [];
  let running: Promise<void> | undefined;
  async function run(): Promise<void> {
    while (arrived.length > 0) {
      const batch = arrived.slice(0, bareTogether);
      arrived = arrived.slice(bareTogether);
      await client.query('BEGIN');
      for (let i = 0; i < batch.length; i++) await client.query(effect);
      await client.query('COMMIT');
      const last = batch.at(-1);
      if (last !== undefined) channel.ack(last, true);
    }
    running = undefined;
  }
  await channel.consume(benchQueue, (message) => {
    if (message === null) return;
    onEach();
    arrived.push(message);
    running ??= new Promise<void>((resolve) => setImmediate(resolve)).then(run);
  });
  return async () => {
    await running;
    client.release();
    await connection.close();
  };
};
