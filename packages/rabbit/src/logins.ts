/**
 * The logins that publish each service's events. A service that is not listed publishes with a login of its own name. Several logins of one
 * service are for the time in which one replaces another.
 */
export type EventLogins = Readonly<Record<string, readonly string[]>>;

/** The service whose events a process publishes. */
export type Sender = { service: string; logins: EventLogins };

/** The logins from which events of a service are believed. */
export function loginsOf(service: string, logins: EventLogins): readonly string[] {
  return (Object.hasOwn(logins, service) ? logins[service] : undefined) ?? [service];
}

/**
 * The login of an AMQP URL, if it is one that publishes the events of this service; it is then sent as `user_id`, which the broker checks
 * against the login of the connection. Undefined for any other login, such as one that several services share: its events would be refused.
 */
export function senderLogin(url: string, { service, logins }: Sender): string | undefined {
  const login = decodeURIComponent(new URL(url).username);
  return loginsOf(service, logins).includes(login) ? login : undefined;
}
