import { eventExchange, publisherOf } from '@taskwire/contracts';
import { deadExchange, loginsOf, type Delivery, type EventLogins } from '@taskwire/rabbit';

/** Which senders are trusted for which events. */
export type SenderRules = {
  logins: EventLogins;
  /**
   * `accept`: an event without `user_id` is trusted if it has passed the broker's topic permissions. `refuse`: such an event is never trusted; use
   * this for a broker without topic permissions.
   */
  withoutUserId: 'accept' | 'refuse';
};

export const defaultSenderRules: SenderRules = { logins: {}, withoutUserId: 'accept' };

/** How a message arrived, as reported by the broker. Publishers cannot choose these values. */
export type Provenance = { userId: string | undefined; exchange: string | undefined; routingKey: string | undefined };

/**
 * The broker records the origin of a message that its own queue dead-lettered. Any other history means that the message was rerouted, so
 * its exchange and routing key prove nothing.
 */
export function provenanceOf({ userId, exchange, routingKey, deaths }: Delivery): Provenance {
  const [death, ...others] = deaths;
  if (death === undefined) return { userId, exchange, routingKey };
  if (exchange !== deadExchange || others.length > 0) return { userId, exchange: undefined, routingKey: undefined };
  // optional, because other logins that may write to that exchange could also have forged this header
  return { userId, exchange: death.exchange, routingKey: death['routing-keys']?.[0] };
}

/**
 * Returns why an event cannot be attributed to its publisher; undefined if it can.
 *
 * The broker has verified that a `user_id` is the login of the publisher. A message without one is trusted if it was published to the event exchange
 * under the routing key of its type and came directly from there: the broker's topic permissions have then admitted its publisher. A login could
 * bypass these permissions by routing a message through its own exchange or queue, or under a second routing key (header `CC`); the message then has
 * another exchange, another routing key, or a dead-letter history.
 */
export function senderFault(
  event: { type: string; appId: string | undefined; provenance: Provenance },
  { logins, withoutUserId }: SenderRules,
): string | undefined {
  const { type, appId, provenance } = event;
  const { userId, exchange, routingKey } = provenance;
  const publisher = publisherOf(type);
  if (appId !== undefined && appId !== publisher) return `app_id is ${appId}, but only ${publisher} publishes ${type}`;
  if (userId !== undefined)
    return loginsOf(publisher, logins).includes(userId)
      ? undefined
      : `the login ${userId} published it, but only ${publisher} publishes ${type} (EVENT_LOGINS)`;
  if (withoutUserId === 'refuse') return 'it has no user_id (EVENTS_WITHOUT_USER_ID)';
  if (exchange === eventExchange && routingKey === type) return undefined;
  return `it has no user_id, and did not come directly from ${eventExchange} under the routing key ${type}`;
}
