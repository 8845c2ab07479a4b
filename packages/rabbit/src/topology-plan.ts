import type { KnownQueue } from './policies.ts';
import { deadExchange, type Topology } from './topology.ts';
import type { Binding } from './management.ts';

/** The queues that a topology declares, each with its bindings. */
export type TopologyPlan = (KnownQueue & { bindings: Binding[] })[];

/** Runs a topology without a broker, and returns its declarations. */
export async function planOf(topology: Topology): Promise<TopologyPlan> {
  const queues = new Map<string, Binding[]>();
  const bindingsOf = (queue: string): Binding[] => {
    const bindings = queues.get(queue) ?? [];
    queues.set(queue, bindings);
    return bindings;
  };
  await topology({
    ensureExchange: async () => undefined,
    assertExchange: async () => undefined,
    assertQueue: async (name) => void bindingsOf(name),
    bindQueue: async (queue, exchange, routingKey) => void bindingsOf(queue).push({ exchange, routingKey }),
    unbindQueue: async () => undefined,
  });
  return [...queues].map(([name, bindings]) => ({
    name,
    bindings,
    isDead: bindings.some(({ exchange }) => exchange === deadExchange),
  }));
}
