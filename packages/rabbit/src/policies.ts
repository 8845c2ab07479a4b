import { deadExchange } from './topology.ts';

/** A policy as the management API lists it. */
export type Policy = {
  name: string;
  pattern: string;
  'apply-to': string;
  priority: number;
  definition: Record<string, unknown>;
};

/** A queue, and whether it is the one that holds what another queue gave up on. */
export type KnownQueue = { name: string; isDead: boolean };

type Requirement = { key: string; needs: string; holds(value: unknown): boolean };

const equal = (key: string, needed: string): Requirement => ({
  key,
  needs: needed,
  holds: (value) => value === needed,
});

/**
 * Without a limit RabbitMQ 3 hands out a message that kills its consumer for ever; RabbitMQ 4 drops it after 20 times, which a dead-letter exchange
 * alone prevents. A queue that holds what is dead must not drop anything for having come back: -1 is "no limit" in RabbitMQ 4.
 */
const eventRequirements = (queue: string): Requirement[] => [
  equal('dead-letter-exchange', deadExchange),
  equal('dead-letter-routing-key', queue),
  equal('dead-letter-strategy', 'at-least-once'),
  equal('overflow', 'reject-publish'),
  { key: 'delivery-limit', needs: 'from 1 to 20', holds: (value) => isNumber(value) && value >= 1 && value <= 20 },
];
const deadRequirements: Requirement[] = [
  equal('overflow', 'reject-publish'),
  { key: 'delivery-limit', needs: '1000000', holds: (value) => isNumber(value) && (value < 0 || value >= 1_000) },
];

/** What the policies of a vhost lack for a queue, as `key (needs value, has value)`; empty when nothing does. */
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

/** RabbitMQ applies one policy to a queue: of those that match, the one with the highest priority. */
function effectivePolicy(queue: string, policies: readonly Policy[]): Policy | undefined {
  return policies
    .filter((policy) => queueKinds.includes(policy['apply-to']) && matches(policy.pattern, queue))
    .reduce<Policy | undefined>(
      (best, next) => (best === undefined || next.priority > best.priority ? next : best),
      undefined,
    );
}

/** Erlang's regular expressions are PCRE's; one that JavaScript cannot read is not one of ours. */
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
