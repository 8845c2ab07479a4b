import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  disposableSettings,
  freePorts,
  startPostgres,
  startRabbit,
  type ManagedProcess,
} from '@taskwire/process-supervisor';

export type TestServers = {
  /** The variables read by @taskwire/testing. */
  env: Record<string, string>;
  /** The version, as soon as RabbitMQ is ready. Tests that need it wait for it; the others need not. */
  rabbit: Promise<string>;
  stop(): Promise<void>;
};

/** Starts PostgreSQL and RabbitMQ on free ports, with all their files in `dir`. Resolves when PostgreSQL is ready, seconds before RabbitMQ is. */
export async function startTestServers(dir: string): Promise<TestServers> {
  const [port = 0, amqpPort = 0, managementPort = 0, epmdPort = 0, distPort = 0] = await freePorts(5);
  const password = randomBytes(12).toString('hex');
  const operator = { name: 'taskwire', password };
  const rabbitReady = join(dir, 'rabbitmq.ready');
  const stopping = new AbortController();
  const startingRabbit = startRabbit({
    dir: join(dir, 'rabbitmq'),
    ...{ amqpPort, managementPort, epmdPort, distPort },
    topology: { vhost: '/', operator, services: [] },
    signal: stopping.signal,
  });
  const rabbit = startingRabbit.then(async ({ management }) => {
    const { rabbitmq_version } = await management.call<{ rabbitmq_version: string }>('GET', '/overview');
    writeFileSync(rabbitReady, rabbitmq_version);
    return rabbitmq_version;
  });
  // the code that awaits this sees the failure; until then it must not be an unhandled rejection
  rabbit.catch(() => undefined);
  const startingPostgres = startPostgres({
    dir: join(dir, 'postgres'),
    port,
    password,
    settings: disposableSettings,
  });
  const stop = async () => {
    stopping.abort();
    await Promise.all([end(startingPostgres, 'SIGQUIT'), end(startingRabbit, 'SIGKILL')]);
  };
  const postgres = await startingPostgres.catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {
    rabbit,
    env: {
      TASKWIRE_TEST_POSTGRES_URL: postgres.url,
      TASKWIRE_TEST_AMQP_URL: `amqp://taskwire:${password}@127.0.0.1:${amqpPort}/%2F`,
      TASKWIRE_TEST_RABBIT_MANAGEMENT_URL: `http://taskwire:${password}@127.0.0.1:${managementPort}`,
      TASKWIRE_TEST_RABBIT_READY: rabbitReady,
    },
    stop,
  };
}

/** Their data is deleted next, so they need no graceful shutdown, which takes RabbitMQ two seconds. */
async function end(starting: Promise<ManagedProcess>, signal: NodeJS.Signals): Promise<void> {
  const child = await starting.catch(() => undefined);
  child?.kill(signal);
  await child?.exited;
}
