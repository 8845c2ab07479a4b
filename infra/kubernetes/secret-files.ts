import { randomBytes } from 'node:crypto';
import { rabbitDefinitions } from '@taskwire/process-supervisor';
import { newSecrets, serviceNames, type ServiceName } from '../local/secrets.ts';
import { clientKeyAsJwk, serviceClients } from '../local/service-clients.ts';

/** The servers that the secrets lead to. */
export type Servers = {
  /** `host:port` of the PostgreSQL of each service. */
  postgres: Record<ServiceName, string>;
  /** `host:port` of RabbitMQ. */
  rabbitmq: string;
  smtpUrl: string;
};

/** The servers of k8s/overlays/production, or, if given as `host:port`, one PostgreSQL for all services and another RabbitMQ. */
export function clusterServers(
  smtpUrl: string,
  { postgres, rabbitmq = 'rabbitmq:5672' }: { postgres?: string; rabbitmq?: string } = {},
): Servers {
  return {
    postgres: {
      auth: postgres ?? 'auth-postgres-rw:5432',
      tasks: postgres ?? 'tasks-postgres-rw:5432',
      notifications: postgres ?? 'notifications-postgres-rw:5432',
    },
    rabbitmq,
    smtpUrl,
  };
}

/** New secrets for a cluster, as the text of each file that the secretGenerator of an overlay reads. */
export function newSecretFiles({ postgres, rabbitmq, smtpUrl }: Servers): Map<string, string> {
  const { database, amqp, clientKeys, keyEncryption } = newSecrets();
  const services = serviceNames.map((name) => ({ service: name, name, password: amqp[name] }));
  const operator = { name: 'taskwire', password: amqp.operator };
  const own: Record<ServiceName, Record<string, string>> = {
    auth: { KEY_ENCRYPTION_SECRET: keyEncryption, OIDC_CLIENTS: JSON.stringify(serviceClients(clientKeys)) },
    tasks: { CLIENT_PRIVATE_KEY: clientKeyAsJwk(clientKeys.tasks) },
    notifications: { CLIENT_PRIVATE_KEY: clientKeyAsJwk(clientKeys.notifications), SMTP_URL: smtpUrl },
  };
  return new Map([
    ...serviceNames.flatMap((name): [string, string][] => {
      const owner = { username: `${name}_owner`, password: randomBytes(24).toString('base64url') };
      const login = { username: name, password: database[name] };
      const url = ({ username, password }: typeof owner) =>
        `postgres://${username}:${password}@${postgres[name]}/taskwire_${name}`;
      const AMQP_URL = `amqp://${name}:${amqp[name]}@${rabbitmq}/taskwire`;
      return [
        [`${name}.env`, lines({ DATABASE_URL: url(login), AMQP_URL, ...own[name] })],
        [`${name}-owner.env`, lines({ DATABASE_URL: url(owner) })],
        [`postgres-${name}.env`, lines(login)],
        [`postgres-${name}-owner.env`, lines(owner)],
      ];
    }),
    [
      'probe.env',
      lines({
        PROBE_MANAGER: `probe-manager@example.com:${randomBytes(24).toString('base64url')}`,
        PROBE_MEMBER: `probe-member@example.com:${randomBytes(24).toString('base64url')}`,
      }),
    ],
    ['rabbitmq-operator.env', lines({ username: operator.name, password: operator.password })],
    [
      'rabbitmq-definitions.json',
      JSON.stringify(rabbitDefinitions({ vhost: 'taskwire', operator, services }), null, 2),
    ],
  ]);
}

/** kustomize takes everything after the first `=` literally. */
function lines(variables: Record<string, string>): string {
  return Object.entries(variables)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}
