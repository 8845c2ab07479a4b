import type { ServiceName } from '../../infra/local/secrets.ts';

/** An endpoint of a link that contains a fault proxy. */
type End = ServiceName | 'gateway' | 'postgres' | 'rabbitmq' | 'mail';

export type LinkDefinition = { from: End; to: End; speaks: 'http' | 'postgres' | 'amqp' | 'smtp' };

/** Every link between two processes of the suite; each gets a proxy. */
export const links = {
  'gateway-auth': { from: 'gateway', to: 'auth', speaks: 'http' },
  'gateway-tasks': { from: 'gateway', to: 'tasks', speaks: 'http' },
  'gateway-notifications': { from: 'gateway', to: 'notifications', speaks: 'http' },
  'tasks-auth': { from: 'tasks', to: 'auth', speaks: 'http' },
  'notifications-auth': { from: 'notifications', to: 'auth', speaks: 'http' },
  'notifications-tasks': { from: 'notifications', to: 'tasks', speaks: 'http' },
  'auth-postgres': { from: 'auth', to: 'postgres', speaks: 'postgres' },
  'tasks-postgres': { from: 'tasks', to: 'postgres', speaks: 'postgres' },
  'notifications-postgres': { from: 'notifications', to: 'postgres', speaks: 'postgres' },
  'auth-rabbitmq': { from: 'auth', to: 'rabbitmq', speaks: 'amqp' },
  'tasks-rabbitmq': { from: 'tasks', to: 'rabbitmq', speaks: 'amqp' },
  'notifications-rabbitmq': { from: 'notifications', to: 'rabbitmq', speaks: 'amqp' },
  'notifications-mail': { from: 'notifications', to: 'mail', speaks: 'smtp' },
} as const satisfies Record<string, LinkDefinition>;

export type LinkName = keyof typeof links;

export const linkNames = Object.keys(links) as LinkName[];
