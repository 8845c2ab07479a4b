import { fileURLToPath } from 'node:url';
import { inheritedEnv, startPart } from '@taskwire/local-servers';
import { serviceNames, type ServiceName } from '../../local/secrets.ts';
import { supervise, type SupervisedPart } from '../../local/supervised-part.ts';

export type SecondWorker = `second ${ServiceName}`;

/**
 * A second process of each service, a worker without requests: the standby of its relay, a second consumer of its queue, a second hand for its leases.
 * It shares the links of the first.
 */
export function secondWorkers(o: {
  ports: Record<ServiceName, number>;
  env(service: ServiceName): Record<string, string>;
  logFile(part: string): string;
}): Record<SecondWorker, SupervisedPart> {
  const workers = serviceNames.map((service) => {
    const name: SecondWorker = `second ${service}`;
    const port = o.ports[service];
    const worker = supervise({
      name,
      restarts: 'manual',
      tell: () => undefined,
      start: (signal) =>
        startPart({
          ...{ name, signal },
          command: process.execPath,
          args: [fileURLToPath(new URL(`../../../services/${service}/src/main.ts`, import.meta.url))],
          env: { ...inheritedEnv(), ...o.env(service), PORT: String(port), PROCESS_ROLE: 'worker' },
          logFile: o.logFile(`second-${service}`),
          stopTimeoutMs: 5_000,
          ready: async () => (await fetch(`http://127.0.0.1:${port}/ready`, { signal: AbortSignal.timeout(2_000) })).ok,
          readyTimeoutMs: 60_000,
        }),
    });
    return [name, worker] as const;
  });
  return Object.fromEntries(workers) as Record<SecondWorker, SupervisedPart>;
}
