import { eventExchange } from '@taskwire/contracts';
import type { Options } from 'amqplib';

/**
 * The operations of a topology function. Each call resolves when the broker has completed it, and rejects if the broker refuses or does not answer in
 * time.
 */
export type TopologyChannel = {
  /**
   * Resolves when the exchange exists. An existing exchange is left unchanged, which needs no permission. A missing one is declared, which a
   * service's login may not do: exchanges belong to the operator (infra/rabbitmq).
   */
  ensureExchange(name: string, type: 'topic' | 'direct', options?: Options.AssertExchange): Promise<void>;
  assertExchange(name: string, type: 'topic' | 'direct' | 'fanout', options?: Options.AssertExchange): Promise<void>;
  assertQueue(name: string, options?: Options.AssertQueue): Promise<void>;
  bindQueue(queue: string, exchange: string, routingKey: string): Promise<void>;
  unbindQueue(queue: string, exchange: string, routingKey: string): Promise<void>;
};

/**
 * Declares exchanges, queues and bindings. Runs again for every connection, after every lost channel and every half minute, so it must be idempotent.
 */
export type Topology = (channel: TopologyChannel) => Promise<void>;

/** The exchange to which queues send dead letters. Each service's dead queue is bound to it by the name of its queue. */
export const deadExchange = 'taskwire.dead';

/** Returns the name of a service's event queue. A policy, set by the operator, determines its dead-letter exchange and delivery limit. */
export function eventQueue(service: string): string {
  return `${service}.events`;
}

/** Returns the name of the queue that holds the dead letters of `eventQueue`. */
export function deadQueue(service: string): string {
  return `${service}.events.dead`;
}

/** Ensures only the event exchange, for a service that only publishes. */
export const publishOnlyTopology: Topology = async (channel) => {
  await channel.ensureExchange(eventExchange, 'topic', { durable: true });
};

/**
 * Ensures the topology of a consuming service: the exchanges, its queue with these bindings, and its dead queue. Both are quorum queues. The event
 * queue has a single active consumer, so that messages with the same key stay in order across replicas. Bindings that are no longer listed are not
 * removed: unbind them in your own topology after this one.
 */
export function serviceTopology({ service, bindings }: { service: string; bindings: readonly string[] }): Topology {
  return async (channel) => {
    await publishOnlyTopology(channel);
    await channel.ensureExchange(deadExchange, 'direct', { durable: true });
    await channel.assertQueue(deadQueue(service), { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    await channel.bindQueue(deadQueue(service), deadExchange, eventQueue(service));
    await channel.assertQueue(eventQueue(service), {
      durable: true,
      arguments: { 'x-queue-type': 'quorum', 'x-single-active-consumer': true },
    });
    for (const routingKey of bindings) await channel.bindQueue(eventQueue(service), eventExchange, routingKey);
  };
}
