// Usage: node infra/rabbitmq/provision.ts
// Sets up a broker that is not started by npm start (docker compose, Kubernetes, a managed service): the vhost, the exchanges, a user for each
// service with permissions for its own queues and events, and the policies of the queues. May be run again at any time.
import { z } from 'zod';
import { fields, readEnv } from '@taskwire/env';
import { rabbitDefinitions, rabbitManagement } from '@taskwire/process-supervisor';

const password = z.string().min(12, 'must have at least 12 characters');

const env = readEnv(
  z.object({
    RABBITMQ_MANAGEMENT_URL: fields.httpUrl.describe(
      "the management API with an administrator's login, http://login:password@host:15672",
    ),
    RABBITMQ_VHOST: z.string().default('taskwire'),
    AUTH_AMQP_PASSWORD: password.describe('password of the user auth'),
    TASKS_AMQP_PASSWORD: password.describe('password of the user tasks'),
    NOTIFICATIONS_AMQP_PASSWORD: password.describe('password of the user notifications'),
  }),
  process.env,
);

const management = rabbitManagement(env.RABBITMQ_MANAGEMENT_URL);
const { username, password: operatorPassword } = new URL(env.RABBITMQ_MANAGEMENT_URL);
await management.call(
  'POST',
  '/definitions',
  rabbitDefinitions({
    vhost: env.RABBITMQ_VHOST,
    operator: { name: decodeURIComponent(username), password: decodeURIComponent(operatorPassword) },
    services: [
      { service: 'auth', name: 'auth', password: env.AUTH_AMQP_PASSWORD },
      { service: 'tasks', name: 'tasks', password: env.TASKS_AMQP_PASSWORD },
      { service: 'notifications', name: 'notifications', password: env.NOTIFICATIONS_AMQP_PASSWORD },
    ],
  }),
);
console.log(`The vhost ${env.RABBITMQ_VHOST} has its exchanges, users, permissions and policies.`);
