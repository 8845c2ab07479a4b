import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { disposableSettings, freePorts, startPostgres, startRabbit } from '@taskwire/process-supervisor';

export type TestServers = {
  /** the variables read by @taskwire/testing */
  env: Record<string, string>;
  rabbitVersion: string;
  stop(): Promise<void>;
};

/** PostgreSQL and RabbitMQ on free ports, with all their files in `dir`. */
export async function startTestServers(dir: string): Promise<TestServers> {
  const [port = 0, amqpPort = 0, managementPort = 0, epmdPort = 0, distPort = 0] = await freePorts(5);
  const password = randomBytes(12).toString('hex');
  const operator = { name: 'taskwire', password };
  const starting = await Promise.allSettled([
    startPostgres({ dir: join(dir, 'postgres'), port, password, settings: disposableSettings }),
    startRabbit({
      dir: join(dir, 'rabbitmq'),
      ...{ amqpPort, managementPort, epmdPort, distPort },
      topology: { vhost: '/', operator, services: [] },
    }),
  ]);
  const [postgres, rabbit] = starting;
  const stop = async () => {
    const started = starting.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
    await Promise.all(started.map((part) => part.stop()));
  };
  if (postgres.status === 'rejected' || rabbit.status === 'rejected') {
    await stop();
    throw postgres.status === 'rejected' ? postgres.reason : (rabbit as PromiseRejectedResult).reason;
  }
  const overview = await rabbit.value.management
    .call<{ rabbitmq_version: string }>('GET', '/overview')
    .catch(async (error: unknown) => {
      await stop();
      throw error;
    });
  return {
    rabbitVersion: overview.rabbitmq_version,
    env: {
      TASKWIRE_TEST_POSTGRES_URL: postgres.value.url,
      TASKWIRE_TEST_AMQP_URL: rabbit.value.url(),
      TASKWIRE_TEST_RABBIT_MANAGEMENT_URL: rabbit.value.management.url.replace('://', `://taskwire:${password}@`),
    },
    stop,
  };
}
