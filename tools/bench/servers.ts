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
} from '@taskwire/process-supervisor';
import { temporaryFolder } from './temporary-folder.ts';

/** Servers with production settings (everything is synced to disk), on free ports, used by nothing else. */
export type BenchServers = {
  databaseUrl: string;
  amqpUrl: string;
  management: RabbitManagement;
  vhost: string;
  stop(): Promise<void>;
};

const vhost = 'bench';

export async function startBenchServers(): Promise<BenchServers> {
  const { dir, remove } = temporaryFolder();
  const [port = 0, amqpPort = 0, managementPort = 0, epmdPort = 0, distPort = 0] = await freePorts(5);
  const password = randomBytes(12).toString('hex');
  for (const part of ['postgres', 'rabbitmq']) mkdirSync(join(dir, part), { recursive: true });
  const [postgres, rabbit] = await Promise.all([
    startPostgres({ dir: join(dir, 'postgres'), port, password }),
    startRabbit({
      dir: join(dir, 'rabbitmq'),
      ...{ amqpPort, managementPort, epmdPort, distPort },
      topology: { vhost, operator: { name: 'bench', password }, services: [] },
    }),
  ]);
  const login = { database: 'bench', login: 'bench', password };
  await provisionDatabase(postgres.url, login);
  return {
    databaseUrl: databaseUrl(postgres.url, login),
    amqpUrl: rabbit.url(),
    management: rabbit.management,
    vhost,
    async stop() {
      await Promise.all([postgres.stop(), rabbit.stop()]);
      remove();
    },
  };
}
