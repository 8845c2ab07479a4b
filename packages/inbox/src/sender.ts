import { eventExchange, publisherOf } from '@taskwire/contracts';
import { deadExchange, loginsOf, type Delivery, type EventLogins } from '@taskwire/rabbit';

/** Whose word counts for which events. */
export type SenderRules = {
  logins: EventLogins;
  /**
   * `accept`: an event without `user_id` counts if the broker's topic permissions have vouched for it. `refuse`: it never does; for a broker
   * that has no topic permissions.
   */
  withoutUserId: 'accept' | 'refuse';
};

export const defaultSenderRules: SenderRules = { logins: {}, withoutUserId: 'accept' };

/** What the broker says of how a message came; no publisher can choose it. */
export type Provenance = { userId: string | undefined; exchange: string | undefined; routingKey: string | undefined };

/**
 * Of a message that its own queue gave up on, the broker remembers where it came from before. With any other history it has been sent around by
 * somebody, and its exchange and routing key prove nothing.
 */
export function provenanceOf({ userId, exchange, routingKey, deaths }: Delivery): Provenance {
  const [death, ...others] = deaths;
  if (death === undefined) return { userId, exchange, routingKey };
  if (exchange !== deadExchange || others.length > 0) return { userId, exchange: undefined, routingKey: undefined };
  // optional, because where anybody may write to that exchange they could have written this header too
  return { userId, exchange: death.exchange, routingKey: death['routing-keys']?.[0] };
}

/**
 * Why an event cannot be believed to be its publisher's; undefined when it can.
 *
 * A `user_id` is the login of whoever published the message: the broker has checked that. Without one, a message counts if it was published to
 * the exchange of events under the routing key of its type, and came from there straight: then the broker's topic permissions have let its
 * publisher through. A login could get round those by sending a message through an exchange or queue of its own, or under a second routing key
 * (header `CC`); the message then has another exchange, another routing key, or a death behind it.
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
  return `it has no user_id, and came neither straight from ${eventExchange} nor under the routing key ${type}`;
}
