import { maxPartitions } from '@taskwire/partitions';
import type { Telemetry } from '@taskwire/telemetry';
import { answer, closeChannel, openChannel } from './channel.ts';
import { openConnection, type Connection } from './connection.ts';
import { createDeclare, isNotFound } from './declare.ts';
import { eventQueue, eventQueues, partitionExchange, partitionQueue, serviceTopology } from './topology.ts';

/**
 * The state of an existing event queue. Messages that a consumer holds are not counted, so a queue is empty only if it has neither messages nor
 * consumers.
 */
export type QueueState = { name: string; messages: number; consumers: number };

/** The event queues of consuming services, for the command that changes the number of partitions. */
export type EventQueueAdmin = {
  /** Returns the existing event queues, for any number of partitions. */
  state(): Promise<QueueState[]>;
  /** Whether exactly the event queues of this number of partitions exist. */
  areOf(partitions: number): Promise<boolean>;
  /** Deletes all event queues with their messages, and declares the queues of this number of partitions. May be repeated if it was interrupted. */
  replace(partitions: number): Promise<void>;
  close(): Promise<void>;
};

export type EventQueueAdminOptions = {
  /** An AMQP URL whose login may configure, write and read the queues of all services. */
  url: string;
  services: readonly { service: string; bindings: readonly string[] }[];
  telemetry: Telemetry;
};

export async function openEventQueueAdmin({
  url,
  services,
  telemetry,
}: EventQueueAdminOptions): Promise<EventQueueAdmin> {
  const connection = await openConnection({ url, name: 'taskwire partitions', signal: new AbortController().signal });
  const names = services.flatMap(({ service }) => [
    eventQueue(service),
    ...Array.from({ length: maxPartitions }, (_, index) => partitionQueue(service, index)),
  ]);

  async function state(): Promise<QueueState[]> {
    const found: QueueState[] = [];
    for (const name of names) {
      const queue = await lookUp(connection, name);
      if (queue !== undefined) found.push(queue);
    }
    return found;
  }

  return {
    state,
    async areOf(count) {
      const all = { count, served: Array.from({ length: count }, (_, index) => index) };
      const needed = new Set(services.flatMap(({ service }) => eventQueues(service, all)));
      const found = new Set((await state()).map(({ name }) => name));
      return needed.size === found.size && needed.isSubsetOf(found);
    },
    async replace(partitions) {
      const existing = await state();
      const { channel } = await openChannel(connection);
      for (const { service } of services) {
        // deleting an exchange that does not exist succeeds; its bindings are deleted with it
        const exchange = partitionExchange(service);
        await answer(connection, `deleting ${exchange}`, (done) => channel.deleteExchange(exchange, {}, done));
      }
      for (const { name } of existing)
        await answer(connection, `deleting ${name}`, (done) => channel.deleteQueue(name, {}, done));
      await closeChannel(connection, channel);
      for (const { service, bindings } of services) {
        const topology = serviceTopology({ service, bindings, partitions });
        await createDeclare({ topology, mayDeclare: () => true, telemetry })(connection, 'everything');
      }
    },
    close: async () => await connection.close(),
  };
}

/** Uses a dedicated channel, which the broker closes if the queue does not exist. */
async function lookUp(connection: Connection, name: string): Promise<QueueState | undefined> {
  const { channel } = await openChannel(connection);
  try {
    const { messageCount, consumerCount } = await answer<{ messageCount: number; consumerCount: number }>(
      connection,
      `queue ${name}`,
      (done) => channel.checkQueue(name, done),
    );
    await closeChannel(connection, channel);
    return { name, messages: messageCount, consumers: consumerCount };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
