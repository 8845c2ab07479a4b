import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  inheritedEnv,
  provisionDatabase,
  runToEnd,
  startPostgres,
  startRabbit,
  type ManagedProcess,
} from '@taskwire/process-supervisor';
import { ownDatabase, ownTopology, startService, thisRelease } from '../../infra/local/own-servers.ts';
import { addPeople } from '../../infra/local/people.ts';
import { freeSuitePorts } from '../../infra/local/ports.ts';
import { newSecrets } from '../../infra/local/secrets.ts';
import { serviceEnv } from '../../infra/local/service-env.ts';
import { ownPostgresUrl, suiteWiring } from '../../infra/local/wiring.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** Auth as in the suite, with production settings, but without requests from other services. */
export type AuthServer = {
  url: string;
  databaseUrl: string;
  /** An empty database on the same server, for a service with a user directory. */
  consumerDatabaseUrl: string;
  /** The credentials of that service. */
  client: { id: string; privateKey: string; issuer: string };
  /** The access token of the only user. */
  accessToken: string;
  stop(): Promise<void>;
};

const password = randomBytes(18).toString('base64url');
const person = { email: 'ann@taskwire.test', name: 'Ann', role: 'member', password } as const;
const migrateScript = fileURLToPath(new URL('../../services/auth/src/migrate.ts', import.meta.url));

export async function startAuth(): Promise<AuthServer> {
  const { dir, remove } = temporaryFolder();
  const ports = await freeSuitePorts();
  const secrets = newSecrets();
  const wiring = suiteWiring({ ports, secrets, external: { databases: {} }, logLevel: 'info' });
  const env = { ...inheritedEnv(), ...serviceEnv('auth', wiring) };
  const logFile = join(dir, 'auth.log');
  const signal = new AbortController().signal;
  const parts: ManagedProcess[] = await Promise.all([
    startPostgres({ dir: join(dir, 'postgres'), port: ports.postgres, password: secrets.database.superuser }),
    startRabbit({
      dir: join(dir, 'rabbitmq'),
      ...{ amqpPort: ports.amqp, managementPort: ports.management, epmdPort: ports.epmd, distPort: ports.erlang },
      topology: ownTopology(secrets),
    }),
  ]);
  for (const service of ['auth', 'tasks'] as const)
    await provisionDatabase(ownPostgresUrl(ports, secrets), ownDatabase(service, secrets));
  await runToEnd({
    name: 'the migration of auth',
    command: process.execPath,
    args: [migrateScript],
    ...{ env, logFile, signal },
    timeoutMs: 60_000,
  });
  parts.unshift(await startService('auth', { port: ports.auth, env, logFile, signal, release: thisRelease }));
  await addPeople([person], { env, logFile, signal, release: thisRelease });
  const url = `http://127.0.0.1:${ports.auth}`;
  return {
    url,
    databaseUrl: wiring.databaseUrl('auth'),
    consumerDatabaseUrl: wiring.databaseUrl('tasks'),
    client: { id: 'tasks', privateKey: secrets.clientKeys.tasks, issuer: `${wiring.publicUrl}/oidc` },
    accessToken: await logIn(url),
    async stop() {
      for (const part of parts) await part.stop();
      remove();
    },
  };
}

async function logIn(authUrl: string): Promise<string> {
  const response = await fetch(`${authUrl}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: person.email, password: person.password }),
  });
  if (!response.ok) throw new Error(`the log-in returned ${response.status}: ${await response.text()}`);
  return ((await response.json()) as { access_token: string }).access_token;
}
