import amqp from 'amqplib';
import pg from 'pg';
import { bareBatch, publishEvent } from './bare-publish.ts';
import type { BenchServers } from './servers.ts';

type Row = { id: string; message_id: string; type: string; aggregate_id: string; payload: string };

const take = {
  name: 'take a batch',
  text: `DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT ${bareBatch} FOR UPDATE)
    RETURNING id, message_id, type, aggregate_id, payload::text`,
};

/**
 * The simplest relay that loses no event: a loop that deletes a batch, publishes it, waits for all confirms, and commits. It always keeps a
 * transaction open across the network, keeps no order between the batches of two processes, publishes a whole batch again after a crash, and is
 * blocked by a single row that cannot be published.
 * @returns the number of drained rows and the elapsed milliseconds, after each batch
 */
export async function drainPlainly({ databaseUrl, amqpUrl }: BenchServers): Promise<{ rows: number; atMs: number }[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const connection = await amqp.connect(amqpUrl, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  const progress = [{ rows: 0, atMs: performance.now() }];
  for (let done = 0; ;) {
    await client.query('BEGIN');
    const { rows } = await client.query<Row>(take);
    rows.sort((a, b) => Number(a.id) - Number(b.id));
    for (const { message_id: messageId, type, aggregate_id: aggregateId, payload } of rows)
      publishEvent(channel, { messageId, type, aggregateId, body: Buffer.from(payload) });
    await channel.waitForConfirms();
    await client.query('COMMIT');
    if (rows.length === 0) break;
    done += rows.length;
    progress.push({ rows: done, atMs: performance.now() });
  }
  await connection.close();
  await client.end();
  return progress;
}
