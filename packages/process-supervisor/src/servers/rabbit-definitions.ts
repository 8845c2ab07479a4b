import { createHash, randomBytes } from 'node:crypto';
import { servicePermissions, serviceTopicPermissions } from './rabbit-permissions.ts';

export type RabbitUser = { name: string; password: string };

export type RabbitTopology = {
  vhost: string;
  /** May do everything in the vhost and use the management page. */
  operator: RabbitUser;
  /** One user for each service; `service` is the prefix of its queues' names. */
  services: (RabbitUser & { service: string })[];
};

/**
 * The operator's part of the broker's configuration, as a definitions file of RabbitMQ (3.10 and 4): vhost, exchanges, users, permissions and the
 * policy of each service queue. The services declare queues and their bindings. May be imported again at any time.
 *
 * A policy, not queue arguments: an operator can change it while queues exist, and a service cannot override it.
 */
export function rabbitDefinitions({ vhost, operator, services }: RabbitTopology) {
  return {
    vhosts: [{ name: vhost }],
    // `impersonator`: messages that an operator moves between queues keep their user_id. `management` lets a service see policies and bindings, which
    // AMQP cannot query; through the management API, it can make only those changes that it could also make through AMQP.
    users: [
      definedUser(operator, 'administrator,impersonator'),
      ...services.map((user) => definedUser(user, 'management')),
    ],
    exchanges: [definedExchange(vhost, 'taskwire.events', 'topic'), definedExchange(vhost, 'taskwire.dead', 'direct')],
    permissions: [
      { user: operator.name, vhost, configure: '.*', write: '.*', read: '.*' },
      ...services.map(({ name, service }) => ({ user: name, vhost, ...servicePermissions(service) })),
    ],
    topic_permissions: services.map(({ name, service }) => ({
      user: name,
      vhost,
      ...serviceTopicPermissions(service),
    })),
    policies: services.flatMap(({ service }) => [servicePolicy(vhost, service), deadQueuePolicy(vhost, service)]),
  };
}

function definedExchange(vhost: string, name: string, type: 'topic' | 'direct') {
  return { vhost, name, type, durable: true, auto_delete: false, internal: false, arguments: {} };
}

function servicePolicy(vhost: string, service: string) {
  return {
    vhost,
    name: `${service}.events`,
    // the only event queue, or the event queues of all partitions
    pattern: `^${service}\\.events(\\.\\d+)?$`,
    'apply-to': 'queues',
    priority: 10,
    definition: {
      'dead-letter-exchange': 'taskwire.dead',
      'dead-letter-routing-key': `${service}.events`,
      // retries are stored in PostgreSQL; a message is redelivered this often only if its consumer dies each time
      'delivery-limit': 5,
      // at-least-once dead-lettering needs reject-publish, because a queue that drops messages from its head could not guarantee it
      overflow: 'reject-publish',
      'dead-letter-strategy': 'at-least-once',
    },
  };
}

/**
 * Messages in a dead-letter queue have no further destination. By default, RabbitMQ 4 drops a message that was returned 20 times, counting each lost
 * connection; the limit set here is never reached in practice.
 */
function deadQueuePolicy(vhost: string, service: string) {
  return {
    vhost,
    name: `${service}.events.dead`,
    pattern: `^${service}\\.events\\.dead$`,
    'apply-to': 'queues',
    priority: 10,
    definition: { 'delivery-limit': 1_000_000, overflow: 'reject-publish' },
  };
}

function definedUser({ name, password }: RabbitUser, tags: string) {
  return { name, password_hash: passwordHash(password), hashing_algorithm: 'rabbit_password_hashing_sha256', tags };
}

// RabbitMQ's format: base64 of a 4-byte salt followed by SHA-256 of salt and password
function passwordHash(password: string): string {
  const salt = randomBytes(4);
  return Buffer.concat([salt, createHash('sha256').update(salt).update(password).digest()]).toString('base64');
}
