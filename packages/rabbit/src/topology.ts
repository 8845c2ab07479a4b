import { eventExchange } from '@taskwire/contracts';
import { partitionHeader, type Partitions } from '@taskwire/partitions';
import type { Options } from 'amqplib';

/**
 * The operations of a topology function. Each call resolves when the broker has completed it, and rejects if the broker refuses or does not respond in
 * time.
 */
export type TopologyChannel = {
  /**
   * Resolves when the exchange exists. An existing exchange is left unchanged, which needs no permission. A missing exchange is declared, which the
   * broker refuses for a service's login, because exchanges belong to the operator (infra/rabbitmq).
   */
  ensureExchange(name: string, type: 'topic' | 'direct', options?: Options.AssertExchange): Promise<void>;
  assertExchange(
    name: string,
    type: 'topic' | 'direct' | 'fanout' | 'headers',
    options?: Options.AssertExchange,
  ): Promise<void>;
  assertQueue(name: string, options?: Options.AssertQueue): Promise<void>;
  bindQueue(queue: string, exchange: string, routingKey: string, headers?: HeaderBinding): Promise<void>;
  /** Also routes messages of an exchange with this key to a second exchange. */
  bindExchange(destination: string, source: string, routingKey: string): Promise<void>;
  unbindQueue(queue: string, exchange: string, routingKey: string): Promise<void>;
};

/** The arguments of a binding to a headers exchange. */
export type HeaderBinding = { 'x-match': 'all'; partition: string };

/**
 * Declares exchanges, queues and bindings. Runs again for every connection, after every lost channel and every half minute, so it must be idempotent.
 */
export type Topology = (channel: TopologyChannel) => Promise<void>;

/**
 * The exchange to which queues send dead letters. Each service's dead-letter queue is bound to it with the name of the service's event queue as the
 * key.
 */
export const deadExchange = 'taskwire.dead';

/** Returns the name of a service's event queue. A policy, set by the operator, determines its dead-letter exchange and delivery limit. */
export function eventQueue(service: string): string {
  return `${service}.events`;
}

/** Returns the name of the queue of one partition of a service's events, if there are several. */
export function partitionQueue(service: string, index: number): string {
  return `${eventQueue(service)}.${index}`;
}

/** Returns the names of the event queues of a service that a process consumes. */
export function eventQueues(service: string, { count, served }: Partitions): string[] {
  return count === 1 ? [eventQueue(service)] : served.map((index) => partitionQueue(service, index));
}

/** Returns the name of a service's headers exchange, which routes each event to the queue of its partition. */
export function partitionExchange(service: string): string {
  return `${eventQueue(service)}.partitions`;
}

/** Returns the name of the queue that holds the dead letters of all event queues of a service. */
export function deadQueue(service: string): string {
  return `${service}.events.dead`;
}

/** Ensures only the event exchange, for a service that only publishes. */
export const publishOnlyTopology: Topology = async (channel) => {
  await channel.ensureExchange(eventExchange, 'topic', { durable: true });
};

/** The arguments are the same at every declaration, because the broker refuses different ones for an existing queue. */
const quorum = { durable: true, arguments: { 'x-queue-type': 'quorum' } };
const orderedQuorum = { durable: true, arguments: { 'x-queue-type': 'quorum', 'x-single-active-consumer': true } };

/**
 * Ensures the topology of a consuming service: the exchanges, its event queues with these bindings, and their dead-letter queue. All of them are
 * quorum queues. An event queue has a single active consumer, so that messages with the same key stay in order across replicas. With several
 * partitions, each has a queue (ADR 41). Bindings that are no longer listed are not removed: unbind them in your own topology after this one.
 */
export function serviceTopology({ service, bindings, partitions = 1 }: ServiceTopologyOptions): Topology {
  return async (channel) => {
    await publishOnlyTopology(channel);
    await channel.ensureExchange(deadExchange, 'direct', { durable: true });
    await channel.assertQueue(deadQueue(service), quorum);
    await channel.bindQueue(deadQueue(service), deadExchange, eventQueue(service));
    if (partitions === 1) {
      await channel.assertQueue(eventQueue(service), orderedQuorum);
      for (const routingKey of bindings) await channel.bindQueue(eventQueue(service), eventExchange, routingKey);
      return;
    }
    const exchange = partitionExchange(service);
    await channel.assertExchange(exchange, 'headers', { durable: true });
    for (let index = 0; index < partitions; index++) {
      const partition = partitionHeader({ index, count: partitions });
      await channel.assertQueue(partitionQueue(service, index), orderedQuorum);
      await channel.bindQueue(partitionQueue(service, index), exchange, '', { 'x-match': 'all', partition });
    }
    // bound last, so that no event arrives before every queue is bound
    for (const routingKey of bindings) await channel.bindExchange(exchange, eventExchange, routingKey);
  };
}

export type ServiceTopologyOptions = { service: string; bindings: readonly string[]; partitions?: number };
