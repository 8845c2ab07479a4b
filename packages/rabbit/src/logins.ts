/**
 * The broker logins that may publish each service's events. A service that is not listed uses the login with the service's name. A service has two
 * logins only while one replaces the other.
 */
export type EventLogins = Readonly<Record<string, readonly string[]>>;

/** The service whose events a process publishes. */
export type Sender = { service: string; logins: EventLogins };

/** Returns the logins that may publish the events of a service. */
export function loginsOf(service: string, logins: EventLogins): readonly string[] {
  return (Object.hasOwn(logins, service) ? logins[service] : undefined) ?? [service];
}

/**
 * Returns the login in an AMQP URL if it may publish the events of this service. The login is then sent as `user_id`, which the broker compares with
 * the login of the connection. Undefined for any other login, such as one shared by several services, whose events would be refused.
 */
export function senderLogin(url: string, { service, logins }: Sender): string | undefined {
  const login = decodeURIComponent(new URL(url).username);
  return loginsOf(service, logins).includes(login) ? login : undefined;
}
