// Creates the secrets of a docker compose installation: .env, which docker compose reads, and the definitions of RabbitMQ, which contain the same
// passwords hashed. Run it once:
//   node infra/local/bootstrap.mjs infra/compose/new-env.ts [folder]
// The folder is the project directory of docker compose, by default the root of the repository.
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rabbitDefinitions } from '@taskwire/process-supervisor';
import { clientKeyAsJwk, newClientKey, serviceClients } from '../local/service-clients.ts';

const services = ['auth', 'tasks', 'notifications'];
const folder = resolve(process.argv[2] ?? fileURLToPath(new URL('../../', import.meta.url)));
const secret = () => randomBytes(24).toString('base64url');
const amqp = new Map(services.map((service) => [service, secret()]));
const operatorPassword = secret();

const clientKeys = { tasks: newClientKey(), notifications: newClientKey() };
// single quotes: docker compose then takes every character literally
const quoted = (json: string) => `'${json}'`;
const variables = {
  POSTGRES_PASSWORD: secret(),
  ...Object.fromEntries(services.map((service) => [`${service.toUpperCase()}_DATABASE_PASSWORD`, secret()])),
  ...Object.fromEntries(services.map((service) => [`${service.toUpperCase()}_DATABASE_OWNER_PASSWORD`, secret()])),
  ...Object.fromEntries([...amqp].map(([service, password]) => [`${service.toUpperCase()}_AMQP_PASSWORD`, password])),
  RABBITMQ_OPERATOR_PASSWORD: operatorPassword,
  KEY_ENCRYPTION_SECRET: randomBytes(32).toString('base64'),
  TASKS_CLIENT_PRIVATE_KEY: quoted(clientKeyAsJwk(clientKeys.tasks)),
  NOTIFICATIONS_CLIENT_PRIVATE_KEY: quoted(clientKeyAsJwk(clientKeys.notifications)),
  OIDC_CLIENTS: quoted(JSON.stringify(serviceClients(clientKeys))),
  PROBE_MANAGER: `probe-manager@taskwire.test:${secret()}`,
  PROBE_MEMBER: `probe-member@taskwire.test:${secret()}`,
};
const definitions = rabbitDefinitions({
  vhost: 'taskwire',
  operator: { name: 'taskwire', password: operatorPassword },
  services: [...amqp].map(([service, password]) => ({ service, name: service, password })),
});

const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
const file = join(folder, '.env');
// npm start reads settings from the same file
const present = existsSync(file) ? readFileSync(file, 'utf8') : '';
if (/^POSTGRES_PASSWORD=/m.test(present)) {
  console.error(
    '.env has these secrets already, and the data of the installation depends on them. Remove them first if that is what you want.',
  );
  process.exit(1);
}
writeFileSync(file, `${present}${present === '' || present.endsWith('\n') ? '' : '\n'}${lines.join('')}`, {
  mode: 0o600,
});
chmodSync(file, 0o600);
mkdirSync(join(folder, '.local/compose'), { recursive: true });
// RabbitMQ runs as a different user in the container; the file contains only hashes
writeFileSync(join(folder, '.local/compose/rabbitmq-definitions.json'), JSON.stringify(definitions, null, 2), {
  mode: 0o644,
});
console.log('Wrote .env and .local/compose/rabbitmq-definitions.json. Now: docker compose up --build --wait');
