import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  databaseUrl,
  freePorts,
  provisionDatabase,
  startPostgres,
  startRabbit,
  type RabbitManagement,
  type RabbitServer,
} from '@taskwire/process-supervisor';
import { temporaryFolder } from './temporary-folder.ts';

/** Servers with production settings (everything is synced to disk), on free ports, not used by any other program. */
export type BenchServers = {
  databaseUrl: string;
  amqpUrl: string;
  management: RabbitManagement;
  vhost: string;
  /** Returns the current process ids of the servers by name. */
  processes(): Map<string, number>;
  /** Stops the broker and starts it again with its data, as an upgrade does. */
  restartBroker(): Promise<void>;
  stop(): Promise<void>;
};

const vhost = 'bench';

export async function startBenchServers(): Promise<BenchServers> {
  const { dir, remove } = temporaryFolder();
  const [port = 0, amqpPort = 0, managementPort = 0, epmdPort = 0, distPort = 0] = await freePorts(5);
  const password = randomBytes(12).toString('hex');
  for (const part of ['postgres', 'rabbitmq']) mkdirSync(join(dir, part), { recursive: true });
  const startBroker = async (): Promise<RabbitServer> =>
    await startRabbit({
      dir: join(dir, 'rabbitmq'),
      ...{ amqpPort, managementPort, epmdPort, distPort },
      topology: { vhost, operator: { name: 'bench', password }, services: [] },
    });
  const [postgres, started] = await Promise.all([
    startPostgres({ dir: join(dir, 'postgres'), port, password }),
    startBroker(),
  ]);
  let rabbit = started;
  const login = { database: 'bench', login: 'bench', password };
  await provisionDatabase(postgres.url, login);
  return {
    databaseUrl: databaseUrl(postgres.url, login),
    amqpUrl: rabbit.url(),
    management: rabbit.management,
    vhost,
    processes: () => new Map([postgres, rabbit].map(({ name, pid }) => [name, pid])),
    async restartBroker() {
      await rabbit.stop();
      rabbit = await startBroker();
    },
    async stop() {
      await Promise.all([postgres.stop(), rabbit.stop()]);
      remove();
    },
  };
}
