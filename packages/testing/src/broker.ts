import { createHash, randomBytes } from 'node:crypto';
import { rabbitDefinitions, rabbitManagement, type RabbitManagement } from '@taskwire/local-servers';
import { fromRunner } from './environment.ts';

export type TestBroker = {
  vhost: string;
  /** AMQP URL of the user of a service, with that service's permissions; of one that may do everything without a name. */
  url(service?: TestService): string;
  /** with the broker's administrator; paths of the vhost need it encoded: `/queues/${encodeURIComponent(vhost)}` */
  management: RabbitManagement;
  /** Does what an operator has to when exchanges, permissions, policies or the vhost are gone: imports the definitions again. */
  restore(): Promise<void>;
  /** Closes the connections of the vhost and removes it with its users. */
  drop(): Promise<void>;
};

const testServices = ['auth', 'tasks', 'notifications'] as const;

/** Services that a test broker has a user for. */
export type TestService = (typeof testServices)[number];

/**
 * A fresh vhost with the users, permissions and policies of the suite, on the broker that the test runner started. The users of services are named
 * like the services, as everywhere; all vhosts of a run share them, and each of a service's permissions is for one vhost.
 */
export async function testBroker(): Promise<TestBroker> {
  const broker = new URL(fromRunner('TASKWIRE_TEST_AMQP_URL'));
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
