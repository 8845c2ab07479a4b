import { fileURLToPath } from 'node:url';
import { databaseUrl, startFaultProxy, type FaultProxy } from '@taskwire/process-supervisor';
import type { SuitePorts } from '../../../infra/local/ports.ts';
import type { Secrets, ServiceName } from '../../../infra/local/secrets.ts';
import { serviceEnv } from '../../../infra/local/service-env.ts';
import type { BugName } from '../bugs.ts';
import { linkNames, links, type LinkName } from '../links.ts';

export type Proxies = Record<LinkName, FaultProxy>;

/** The ports of all processes of each service. */
export type ServicePorts = Record<ServiceName, readonly number[]>;

/**
 * Starts a proxy with a healthy link for each link between two processes. A proxy in front of a service distributes connections across the service's
 * processes.
 */
export async function startProxies(ports: SuitePorts, servicePorts: ServicePorts): Promise<Proxies> {
  const { amqp: rabbitmq, smtp: mail, postgres } = ports;
  const portOf = { ...servicePorts, postgres, rabbitmq, mail };
  const started = linkNames.map(
    async (name) => [name, await startFaultProxy({ targetPort: portOf[links[name].to] })] as const,
  );
  return Object.fromEntries(await Promise.all(started)) as Proxies;
}

export async function stopProxies(proxies: Proxies): Promise<void> {
  await Promise.all(Object.values(proxies).map((proxy) => proxy.stop()));
}

/** Node's options that load modules of the folder `preload` before a program. */
export function preloading(...names: readonly ('bug' | 'clock')[]): string {
  return names.map((name) => `--import=${fileURLToPath(new URL(`../preload/${name}.ts`, import.meta.url))}`).join(' ');
}

/** Without mail budgets: the few users of a run do in minutes what many users do in weeks, and every mail must be accounted for. */
const withoutBudgets = {
  MAILS_PER_RECIPIENT: '1000000',
  ACCOUNT_MAILS_PER_RECIPIENT: '1000000',
  MAILS_PER_CALLER: '1000000',
  RENAMES_PER_ACCOUNT: '1000000',
};

/**
 * Returns a service's environment, as in production except for the means of injecting faults: addresses that lead through the proxies, a clock that
 * can be moved, and deliberate bugs, if any, that are patched in when their files are loaded.
 */
export function proxiedEnv(
  service: ServiceName,
  o: { proxies: Proxies; ports: SuitePorts; secrets: Secrets; clockFile: string; planted: readonly BugName[] },
): Record<string, string> {
  const { proxies, ports, secrets } = o;
  const port = (to: string) => proxies[`${service}-${to}` as LinkName].port;
  const http = (to: ServiceName) => `http://127.0.0.1:${port(to)}`;
  const login = { database: `taskwire_${service}`, login: service, password: secrets.database[service] };
  const wiring = {
    ...{ secrets, ports },
    publicUrl: `http://localhost:${ports.gateway}`,
    databaseUrl: () => databaseUrl(`postgres://127.0.0.1:${port('postgres')}/`, login),
    // not proxied, because this connection serves only operators; the connections under test are those with which the services do their work
    managementUrl: `http://127.0.0.1:${ports.management}`,
    amqpUrl: () => `amqp://${service}:${secrets.amqp[service]}@127.0.0.1:${port('rabbitmq')}/taskwire`,
    smtpUrl: `smtp://127.0.0.1:${proxies['notifications-mail'].port}`,
    logLevel: 'info',
  };
  return {
    ...serviceEnv(service, wiring),
    ...withoutBudgets,
    ...(service !== 'auth' && { AUTH_INTERNAL_URL: http('auth') }),
    // the few users of a run send as many requests as many users; refusals that depend on the rate would make a replay differ
    ...(service === 'tasks' && {
      TASK_CREATIONS_PER_MINUTE: '1000000',
      SHUFFLES_PER_MINUTE: '1000000',
      COMMENTS_PER_MINUTE: '1000000',
    }),
    ...(service === 'notifications' && { TASKS_INTERNAL_URL: http('tasks') }),
    NODE_OPTIONS: o.planted.length === 0 ? preloading('clock') : preloading('clock', 'bug'),
    TASKWIRE_CHAOS_CLOCK_FILE: o.clockFile,
    ...(o.planted.length > 0 && { TASKWIRE_CHAOS_BUGS: o.planted.join() }),
  };
}
