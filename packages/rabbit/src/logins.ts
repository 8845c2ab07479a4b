/**
 * The broker logins that may publish each service's events. A service that is not listed uses the login of its own name. A service has two logins
 * only while one replaces the other.
 */
export type EventLogins = Readonly<Record<string, readonly string[]>>;

/** The service whose events a process publishes. */
export type Sender = { service: string; logins: EventLogins };

/** Returns the logins that are trusted to publish the events of a service. */
export function loginsOf(service: string, logins: EventLogins): readonly string[] {
  return (Object.hasOwn(logins, service) ? logins[service] : undefined) ?? [service];
}

/**
 * Returns the login of an AMQP URL if it is one that publishes the events of this service. It is then sent as `user_id`, which the broker checks
 * against the login of the connection. Undefined for any other login, such as one shared by several services, whose events would be refused.
 */
export function senderLogin(url: string, { service, logins }: Sender): string | undefined {
  const login = decodeURIComponent(new URL(url).username);
  return loginsOf(service, logins).includes(login) ? login : undefined;
}
