import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { freePorts, isAlive, isPortFree, startRabbit, type RabbitServer } from '../src/index.ts';
import { scratchFolder } from './scratch.ts';

describe('A local RabbitMQ', function () {
  this.timeout(120_000);
  const scratch = scratchFolder();
  const ports = { amqpPort: 0, managementPort: 0, epmdPort: 0, distPort: 0 };
  let server: RabbitServer | undefined;

  const start = async () => {
    const topology = {
      vhost: 'taskwire',
      operator: { name: 'operator', password: 'op' },
      services: [{ service: 'tasks', name: 'tasks', password: 'pa/ss' }],
    };
    server = await startRabbit({ dir: join(scratch.dir, 'rabbitmq'), ...ports, topology });
    return server;
  };

  before(async () => {
    const [amqpPort = 0, managementPort = 0, epmdPort = 0, distPort = 0] = await freePorts(4);
    Object.assign(ports, { amqpPort, managementPort, epmdPort, distPort });
  });
  after(async () => {
    await server?.stop();
    scratch.remove();
  });

  it('has the users, permissions and policies of its topology, and keeps its data after a kill with -9', async () => {
    const first = await start();
    const queue = '/queues/taskwire/tasks.events';
    await first.management.call('PUT', queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    first.kill();
    await first.exited;
    expect(await isPortFree(ports.epmdPort), 'its epmd is gone with it').to.equal(true);

    const { management } = await start();
    expect(await management.call('GET', queue)).to.include({ name: 'tasks.events', durable: true });
    const policy = await management.call<{ definition: object }>('GET', '/policies/taskwire/tasks.events');
    expect(policy).to.include({ pattern: '^tasks\\.events(\\.\\d+)?$', priority: 10 });
    expect(policy.definition).to.include({ 'delivery-limit': 5, 'dead-letter-exchange': 'taskwire.dead' });
    const ofDead = await management.call<{ definition: object }>('GET', '/policies/taskwire/tasks.events.dead');
    // without this limit, RabbitMQ 4 would drop messages that were returned 20 times
    expect(ofDead.definition).to.deep.equal({ 'delivery-limit': 1_000_000, overflow: 'reject-publish' });
    const [permission] = await management.call<{ write: string }[]>('GET', '/users/tasks/permissions');
    expect('tasks.events').to.match(new RegExp(permission?.write ?? ''));
    expect('taskwire.events').to.match(new RegExp(permission?.write ?? ''));
    expect('auth.events').not.to.match(new RegExp(permission?.write ?? ''));
  });

  it('recreates its exchanges, policies and vhost soon after they were deleted', async () => {
    const { management } = server!;
    const names = async (path: string) =>
      (await management.call<{ name: string }[]>('GET', path).catch(() => [])).map(({ name }) => name);
    const isWhole = async () =>
      (await names('/exchanges/taskwire')).includes('taskwire.events') &&
      (await names('/policies/taskwire')).includes('tasks.events.dead');
    // this policy applies to no queue, because after a kill RabbitMQ 3.10 may take more than 30 s to delete the policy of a quorum queue
    const deletions = [
      '/exchanges/taskwire/taskwire.events',
      '/policies/taskwire/tasks.events.dead',
      '/vhosts/taskwire',
    ];
    for (const deleted of deletions) {
      await management.call('DELETE', deleted);
      const until = Date.now() + 15_000;
      while (!(await isWhole())) if (Date.now() > until) expect.fail(`${deleted} is gone`);
    }
    const [permission] = await management.call<{ configure: string }[]>('GET', '/users/tasks/permissions');
    expect(permission?.configure).to.equal('^tasks\\..*$');
    const [topic] = await management.call<{ write: string }[]>('GET', '/users/tasks/topic-permissions');
    expect(topic).to.include({ exchange: 'taskwire.events', write: '^tasks\\.' });
  });

  it('ends within 5 s of a stop request', async () => {
    const { pid } = server!;
    const began = performance.now();
    await server?.stop();
    expect(performance.now() - began).to.be.below(5000);
    expect(isAlive(pid)).to.equal(false);
    expect(await isPortFree(ports.epmdPort)).to.equal(true);
  });

  it('names a port that is in use', async () => {
    const stranger = createServer();
    await new Promise<void>((resolve) => stranger.listen(ports.amqpPort, '127.0.0.1', resolve));
    const error = await start().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    await new Promise((resolve) => stranger.close(resolve));
    expect(String(error)).to.include(`RabbitMQ cannot use port ${ports.amqpPort}`);
  });
});
