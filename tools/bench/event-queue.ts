import { setTimeout as delay } from 'node:timers/promises';
import amqp from 'amqplib';
import { eventExchange } from '@taskwire/contracts';
import type { BenchServers } from './servers.ts';

/** A quorum queue that receives every event and is emptied continuously, so that its own size does not affect the measurement. */
export type EventQueue = {
  /**
   * Resolves when this many more events have arrived. @throws when fewer or more arrive: a figure counts only if the broker has every event exactly
   * once.
   */
  arrived(count: number): Promise<void>;
  close(): Promise<void>;
};

const queue = 'bench.events';
const emptyEveryMs = 500;

export async function createEventQueue({ amqpUrl }: BenchServers): Promise<EventQueue> {
  const connection = await amqp.connect(amqpUrl);
  const channel = await connection.createChannel();
  await channel.assertExchange(eventExchange, 'topic', { durable: true });
  await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  await channel.bindQueue(queue, eventExchange, '#');
  let arrivals = 0;
  let closed = false;
  const empty = async (): Promise<void> => {
    const { messageCount } = await channel.purgeQueue(queue);
    arrivals += messageCount;
  };
  const emptying = (async () => {
    while (!closed) {
      await empty();
      await delay(emptyEveryMs);
    }
  })();
  return {
    async arrived(count) {
      await empty();
      if (arrivals !== count) throw new Error(`${arrivals} events arrived, not ${count}`);
      arrivals = 0;
    },
    async close() {
      closed = true;
      await emptying;
      await connection.close();
    },
  };
}
