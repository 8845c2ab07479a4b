import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rabbitDefinitions, rabbitManagement, type RabbitManagement } from '@taskwire/process-supervisor';
import { fromRunner } from './environment.ts';
import { waitFor } from './wait-for.ts';

export type TestBroker = {
  vhost: string;
  /** The AMQP URL of a service's user, with that service's permissions; without a name, of a user who may do everything. */
  url(service?: TestService): string;
  /** with the broker's administrator; paths need the vhost encoded: `/queues/${encodeURIComponent(vhost)}` */
  management: RabbitManagement;
  /** Acts for the operator when exchanges, permissions, policies or the vhost are missing: imports the definitions again. */
  restore(): Promise<void>;
  /** Closes the connections of the vhost and removes it with its users. */
  drop(): Promise<void>;
};

const testServices = ['auth', 'tasks', 'notifications'] as const;

/** Services that have a user on a test broker. */
export type TestService = (typeof testServices)[number];

/**
 * Creates a fresh vhost with the users, permissions and policies of the suite, on the broker started by the test runner. Service users have the names
 * of the services, as everywhere; all vhosts of a run share them, and each permission applies to one vhost.
 */
export async function testBroker(): Promise<TestBroker> {
  const broker = new URL(fromRunner('TASKWIRE_TEST_AMQP_URL'));
  await untilReady();
  const management = rabbitManagement(fromRunner('TASKWIRE_TEST_RABBIT_MANAGEMENT_URL'));
  const vhost = `test-${randomBytes(6).toString('hex')}`;
  const password = createHash('sha256').update(`password of tests ${broker.password}`).digest('hex');
  const operator = { name: vhost, password };
  const services = testServices.map((service) => ({ service, name: service, password }));
  const restore = async (): Promise<void> =>
    void (await management.call('POST', '/definitions', rabbitDefinitions({ vhost, operator, services })));
  await restore();
  return {
    vhost,
    restore,
    url: (service) => `amqp://${service ?? vhost}:${password}@${broker.host}/${vhost}`,
    management,
    async drop() {
      await management.call('DELETE', `/vhosts/${vhost}`);
      await management.call('POST', '/users/bulk-delete', { users: [operator.name] });
    },
  };
}

/** The runner starts tests as soon as PostgreSQL is ready, and creates this file when RabbitMQ is; until then the hook waits. */
async function untilReady(): Promise<void> {
  const file = process.env['TASKWIRE_TEST_RABBIT_READY'];
  if (file !== undefined) await waitFor(() => existsSync(file), { timeoutMs: 80_000, what: 'RabbitMQ to be ready' });
}
