import { connect } from 'amqplib';

/** The ids of the requests that caused events. */
export type Causes = { seen: ReadonlySet<string>; close(): Promise<void> };

/** Receives every event of the suite, and records the request that caused it. */
export async function watchCauses(amqpUrl: string): Promise<Causes> {
  const connection = await connect(amqpUrl);
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true });
  await channel.bindQueue(queue, 'taskwire.events', '#');
  const seen = new Set<string>();
  await channel.consume(
    queue,
    (message) => {
      const id: unknown = message?.properties.correlationId;
      if (typeof id === 'string') seen.add(id);
    },
    { noAck: true },
  );
  return { seen, close: async () => await connection.close() };
}
