import { eventExchange, subscriptions } from '@taskwire/contracts';

/** Regular expressions over names, in RabbitMQ's format. */
export type Permissions = { configure: string; write: string; read: string };

/**
 * The permissions of a service's login.
 *
 * - configure: queues, and the exchange of their partitions, whose names start with the service's name. Only the operator creates, changes and
 *   deletes other exchanges.
 * - write: publish events, and bind its own queues. A login cannot publish to `taskwire.dead` (dead-lettering does so by policy) or to the default
 *   exchange, through which a message could be put into any queue by name.
 * - read: consume its own queues, and bind them to the exchanges.
 */
export function servicePermissions(service: string): Permissions {
  const own = `${escape(service)}\\..*`;
  return {
    configure: `^${own}$`,
    write: `^(taskwire\\.events|${own})$`,
    read: `^(taskwire\\.(events|dead)|${own})$`,
  };
}

/** The events that a service's login may publish, and those for which it may bind its queues. */
export function serviceTopicPermissions(service: string) {
  return { exchange: eventExchange, write: `^${escape(service)}\\.`, read: bindable(bindingsOf(service)) };
}

function bindingsOf(service: string): readonly string[] {
  return (subscriptions as Readonly<Record<string, readonly string[]>>)[service] ?? [];
}

/**
 * RabbitMQ compares the binding key itself, as text: each of these keys matches, and so do narrower ones. Without keys, only the empty key matches,
 * which routes no event.
 */
function bindable(keys: readonly string[]): string {
  const patterns = keys.map((key) =>
    key
      .split('.')
      .map((word) => ({ '*': '[^.]+', '#': '.+' })[word] ?? escape(word))
      .join('\\.'),
  );
  return `^(${patterns.join('|')})$`;
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
