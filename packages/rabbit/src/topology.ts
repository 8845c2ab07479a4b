import { eventExchange } from '@taskwire/contracts';
import type { Options } from 'amqplib';

/** What a topology function may do. Each call resolves when the broker has done it, and rejects when it refuses or does not answer in time. */
export type TopologyChannel = {
  /**
   * Resolves when the exchange is there. One that is missing is declared, which the login of a service may not do: exchanges are the operator's
   * (infra/rabbitmq). One that is there is left as it is, and needs no permission.
   */
  ensureExchange(name: string, type: 'topic' | 'direct', options?: Options.AssertExchange): Promise<void>;
  assertExchange(name: string, type: 'topic' | 'direct' | 'fanout', options?: Options.AssertExchange): Promise<void>;
  assertQueue(name: string, options?: Options.AssertQueue): Promise<void>;
  bindQueue(queue: string, exchange: string, routingKey: string): Promise<void>;
  unbindQueue(queue: string, exchange: string, routingKey: string): Promise<void>;
};

/**
 * Declares exchanges, queues and bindings. Run again for every connection, after every lost channel and every half minute, so it must be idempotent.
 */
export type Topology = (channel: TopologyChannel) => Promise<void>;

/** Where queues send what they give up on; bound to each service's dead queue by the name of its queue. */
export const deadExchange = 'taskwire.dead';

/** The queue that holds a service's events. Its dead-letter exchange and delivery limit are a policy, set by the operator. */
export function eventQueue(service: string): string {
  return `${service}.events`;
}

/** The queue of what `eventQueue` gave up on. */
export function deadQueue(service: string): string {
  return `${service}.events.dead`;
}

/** Needs the exchange alone, for a service that only publishes. */
export const publishOnlyTopology: Topology = async (channel) => {
  await channel.ensureExchange(eventExchange, 'topic', { durable: true });
};

/**
 * Makes sure of what a consuming service needs: the exchanges, its queue with these bindings, and its dead queue. Quorum queues; one active
 * consumer at a time, so that the order of a key survives replicas. Bindings that are no longer listed stay: unbind them in a topology of
 * your own after this one.
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
