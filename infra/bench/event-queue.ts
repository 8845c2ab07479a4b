import { setTimeout as delay } from 'node:timers/promises';
import amqp from 'amqplib';
import { eventExchange } from '@taskwire/contracts';
import type { BenchServers } from './servers.ts';

/** A quorum queue that takes every event and is emptied all the time: its own size must not be what is measured. */
export type EventQueue = {
  /** Resolves when so many more events have arrived. @throws when they do not, or more do: a figure counts only if the broker has every event, once. */
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
