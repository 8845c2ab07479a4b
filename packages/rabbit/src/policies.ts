import { deadExchange } from './topology.ts';

/** A policy as listed by the management API. */
export type Policy = {
  name: string;
  pattern: string;
  'apply-to': string;
  priority: number;
  definition: Record<string, unknown>;
};

/** A queue, and whether it holds the dead letters of another queue. */
export type KnownQueue = { name: string; isDead: boolean };

type Requirement = { key: string; needs: string; holds(value: unknown): boolean };

const equal = (key: string, needed: string): Requirement => ({
  key,
  needs: needed,
  holds: (value) => value === needed,
});

/**
 * Without a limit, RabbitMQ 3 forever redelivers a message that kills its consumer; RabbitMQ 4 drops it after 20 deliveries unless a dead-letter
 * exchange is set. The queues of all partitions share one dead-letter queue. A dead-letter queue must not drop a message because of redeliveries; -1
 * means "no limit" in RabbitMQ 4.
 */
const eventRequirements = (queue: string): Requirement[] => [
  equal('dead-letter-exchange', deadExchange),
  equal('dead-letter-routing-key', queue.replace(/\.\d+$/, '')),
  equal('dead-letter-strategy', 'at-least-once'),
  equal('overflow', 'reject-publish'),
  { key: 'delivery-limit', needs: 'from 1 to 20', holds: (value) => isNumber(value) && value >= 1 && value <= 20 },
];
const deadRequirements: Requirement[] = [
  equal('overflow', 'reject-publish'),
  { key: 'delivery-limit', needs: '1000000', holds: (value) => isNumber(value) && (value < 0 || value >= 1_000) },
];

/** Returns the keys that a queue lacks in the policies of its vhost, as `key (needs value, has value)`; empty if none are missing. */
export function missingPolicyKeys({ name, isDead }: KnownQueue, policies: readonly Policy[]): string[] {
  const definition = effectivePolicy(name, policies)?.definition ?? {};
  return (isDead ? deadRequirements : eventRequirements(name))
    .filter(({ key, holds }) => !holds(definition[key]))
    .map(({ key, needs }) => {
      const value = definition[key];
      return `${key} (needs ${needs}, has ${value === undefined ? 'none' : JSON.stringify(value)})`;
    });
}

const queueKinds: readonly string[] = ['queues', 'all', 'quorum_queues'];

/** Returns the policy that RabbitMQ applies to a queue: the matching one with the highest priority. */
function effectivePolicy(queue: string, policies: readonly Policy[]): Policy | undefined {
  return policies
    .filter((policy) => queueKinds.includes(policy['apply-to']) && matches(policy.pattern, queue))
    .reduce<Policy | undefined>(
      (best, next) => (best === undefined || next.priority > best.priority ? next : best),
      undefined,
    );
}

/** Erlang's regular expressions are PCRE's. A pattern that JavaScript cannot parse is not one of our own. */
function matches(pattern: string, queue: string): boolean {
  try {
    return new RegExp(pattern).test(queue);
  } catch {
    return false;
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}
