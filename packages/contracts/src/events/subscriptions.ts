import type { EventType } from './events.ts';

/**
 * The binding keys by which each service hears of others. Auth hears of nobody. The broker's permissions are made from this table, so a service
 * cannot bind its queue to more than it lists.
 */
export const subscriptions: Readonly<Record<'auth' | 'tasks' | 'notifications', readonly string[]>> = {
  auth: [],
  tasks: ['auth.user.*', 'auth.account.access_ended'],
  notifications: ['auth.user.*', 'auth.account.*', 'tasks.#'],
};

/** The service that publishes events of this type: the first word of the routing key. Nobody else may. */
export function publisherOf(type: EventType | (string & {})): string {
  return type.split('.')[0] ?? '';
}
