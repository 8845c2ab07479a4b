import { fileURLToPath } from 'node:url';
import { inheritedEnv, startProcess } from '@taskwire/process-supervisor';
import { serviceNames, type ServiceName } from '../../../infra/local/secrets.ts';
import { supervise, type ProcessEvent, type SupervisedProcess } from '../../../infra/local/supervised-process.ts';

export type SecondReplica = `second ${ServiceName}`;

/**
 * A second process of each service: it serves requests like the first, is the standby of its relay (or the first one is), the second consumer of its
 * queue, and claims leases alongside it. It shares the links of the first.
 */
export function secondReplicas(o: {
  ports: Record<ServiceName, number>;
  env(service: ServiceName): Record<string, string>;
  logFile(name: string): string;
  onEvent(event: ProcessEvent): void;
}): Record<SecondReplica, SupervisedProcess> {
  const replicas = serviceNames.map((service) => {
    const name: SecondReplica = `second ${service}`;
    const port = o.ports[service];
    const replica = supervise({
      name,
      restarts: 'manual',
      onEvent: o.onEvent,
      start: (signal) =>
        startProcess({
          ...{ name, signal },
          command: process.execPath,
          args: [fileURLToPath(new URL(`../../../services/${service}/src/main.ts`, import.meta.url))],
          env: { ...inheritedEnv(), ...o.env(service), PORT: String(port) },
          logFile: o.logFile(`second-${service}`),
          stopTimeoutMs: 5_000,
          ready: async () => (await fetch(`http://127.0.0.1:${port}/ready`, { signal: AbortSignal.timeout(2_000) })).ok,
          readyTimeoutMs: 60_000,
        }),
    });
    return [name, replica] as const;
  });
  return Object.fromEntries(replicas) as Record<SecondReplica, SupervisedProcess>;
}
