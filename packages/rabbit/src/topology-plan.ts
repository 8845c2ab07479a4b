import type { Binding, Destination } from './management.ts';
import type { KnownQueue } from './policies.ts';
import { deadExchange, type Topology } from './topology.ts';

/** The queues that a topology declares, and the exchanges that it binds, each with its bindings. */
export type TopologyPlan = (KnownQueue & Destination & { bindings: Binding[] })[];

/** Runs a topology without a broker, and returns its declarations. */
export async function planOf(topology: Topology): Promise<TopologyPlan> {
  const destinations = new Map<string, Destination & { bindings: Binding[] }>();
  const bindingsOf = (kind: Destination['kind'], name: string): Binding[] => {
    const { bindings } = destinations.get(name) ?? { bindings: [] };
    destinations.set(name, { kind, name, bindings });
    return bindings;
  };
  await topology({
    ensureExchange: async () => undefined,
    assertExchange: async () => undefined,
    assertQueue: async (name) => void bindingsOf('queue', name),
    bindQueue: async (queue, exchange, routingKey, headers) =>
      void bindingsOf('queue', queue).push({ exchange, routingKey, partition: headers?.partition }),
    bindExchange: async (destination, source, routingKey) =>
      void bindingsOf('exchange', destination).push({ exchange: source, routingKey }),
    unbindQueue: async () => undefined,
  });
  return [...destinations.values()].map((destination) => ({
    ...destination,
    isDead: destination.bindings.some(({ exchange }) => exchange === deadExchange),
  }));
}
