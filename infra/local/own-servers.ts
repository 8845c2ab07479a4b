import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  isPortFree,
  rabbitDefinitions,
  rabbitManagement,
  runToEnd,
  startProcess,
  StartError,
  type DatabaseLogin,
  type ManagedProcess,
  type RabbitTopology,
} from '@taskwire/process-supervisor';
import type { SuitePorts } from './ports.ts';
import { serviceNames, type Secrets, type ServiceName } from './secrets.ts';
import { shutdownTimeoutMs } from './service-env.ts';

/** A checked-out release with its dependencies: its folder, and the Node among these dependencies. */
export type Release = { root: string; node: string };

export const thisRelease: Release = {
  root: fileURLToPath(new URL('../../', import.meta.url)),
  node: process.execPath,
};

/**
 * A limit for each half of V8's young generation, in MB, as in the image of a service. V8's own limit is 32 MB, which saves no measurable CPU time, and
 * costs each busy process 50 MB of memory (ADR 35).
 */
const nodeOptions = ['--max-semi-space-size=8'];

/** Starts a service of a release with this environment and waits for its /ready. */
export async function startService(
  name: ServiceName,
  o: { port: number; env: NodeJS.ProcessEnv; logFile: string; signal: AbortSignal; release: Release },
): Promise<ManagedProcess> {
  const { port, release, ...rest } = o;
  if (!(await isPortFree(port)))
    throw new StartError(`${name} cannot use port ${port}: another program listens on it.`);
  return startProcess({
    ...rest,
    name,
    command: release.node,
    args: [...nodeOptions, join(release.root, 'services', name, 'src/main.ts')],
    stopTimeoutMs: shutdownTimeoutMs + 500,
    ready: async () => (await fetch(`http://127.0.0.1:${port}/ready`, { signal: AbortSignal.timeout(2000) })).ok,
    readyTimeoutMs: 60_000,
  });
}

/**
 * Migrates a service's database to a release.
 * @throws StartError with the end of the migration's output
 */
export async function migrateService(
  name: ServiceName,
  o: { env: NodeJS.ProcessEnv; logFile: string; signal: AbortSignal; release: Release },
): Promise<void> {
  const { release, ...rest } = o;
  await runToEnd({
    ...rest,
    name: `the migration of ${name}`,
    command: release.node,
    args: [join(release.root, 'services', name, 'src/migrate.ts')],
    timeoutMs: 60_000,
  });
}

export const operator = 'taskwire';
const vhost = 'taskwire';

export function ownDatabase(service: ServiceName, secrets: Secrets): DatabaseLogin {
  return { database: `taskwire_${service}`, login: service, password: secrets.database[service] };
}

export function ownTopology({ amqp }: Secrets): RabbitTopology {
  return {
    vhost,
    operator: { name: operator, password: amqp.operator },
    services: serviceNames.map((service) => ({ service, name: service, password: amqp[service] })),
  };
}

export function ownAmqpUrl(user: ServiceName | 'operator', ports: SuitePorts, { amqp }: Secrets): string {
  return `amqp://${user === 'operator' ? operator : user}:${amqp[user]}@127.0.0.1:${ports.amqp}/${vhost}`;
}

/** Sets the policies on an external broker if its management API is configured. Changes nothing else on that broker. */
export async function applyPolicies(amqpUrl: string, managementUrl: string | undefined): Promise<void> {
  if (managementUrl === undefined) return;
  const externalVhost = decodeURIComponent(new URL(amqpUrl).pathname.slice(1)) || '/';
  const topology = { vhost: externalVhost, operator: { name: '', password: '' } };
  const services = serviceNames.map((service) => ({ service, name: service, password: '' }));
  const { policies } = rabbitDefinitions({ ...topology, services });
  const management = rabbitManagement(managementUrl);
  for (const { vhost: where, name, ...policy } of policies) {
    await management.call('PUT', `/policies/${encodeURIComponent(where)}/${encodeURIComponent(name)}`, policy);
  }
}
