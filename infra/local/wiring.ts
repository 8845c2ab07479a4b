import { databaseUrl } from '@taskwire/process-supervisor';
import type { ExternalServers } from './external-servers.ts';
import { ownAmqpUrl, ownDatabase } from './own-servers.ts';
import type { SuitePorts } from './ports.ts';
import type { Secrets, ServiceName } from './secrets.ts';
import type { Wiring } from './service-env.ts';

/** The suite's URL as a front end sees it. */
export function gatewayUrl(ports: SuitePorts): string {
  return `http://localhost:${ports.gateway}`;
}

/** The URL of the suite's own PostgreSQL, with the superuser's login. */
export function ownPostgresUrl(ports: SuitePorts, secrets: Secrets): string {
  return `postgres://postgres:${secrets.database.superuser}@127.0.0.1:${ports.postgres}/postgres`;
}

/** The addresses at which the services of a suite reach one another and their servers. */
export function suiteWiring(o: {
  ports: SuitePorts;
  secrets: Secrets;
  external: ExternalServers;
  logLevel: string | undefined;
}): Omit<Wiring, 'amqpUrl'> & { amqpUrl(user: ServiceName | 'operator'): string } {
  const { ports, secrets, external } = o;
  return {
    ...{ secrets, ports },
    publicUrl: gatewayUrl(ports),
    logLevel: o.logLevel ?? 'info',
    databaseUrl: (service) =>
      external.databases[service] ?? databaseUrl(ownPostgresUrl(ports, secrets), ownDatabase(service, secrets)),
    amqpUrl: (user) => external.amqpUrl ?? ownAmqpUrl(user, ports, secrets),
    managementUrl:
      external.amqpUrl === undefined ? `http://127.0.0.1:${ports.management}` : withoutLogin(external.managementUrl),
    smtpUrl: external.smtpUrl ?? `smtp://127.0.0.1:${ports.smtp}`,
  };
}

/** The URL without the administrator's login, which only the launcher keeps: services use their own logins. */
function withoutLogin(url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  const stripped = new URL(url);
  stripped.username = '';
  stripped.password = '';
  return stripped.href;
}
