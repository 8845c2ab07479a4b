import { inheritedEnv } from '@taskwire/process-supervisor';
import { startService, type Release } from '../../../infra/local/own-servers.ts';
import type { ServiceName } from '../../../infra/local/secrets.ts';
import { supervise, type ProcessEvent, type SupervisedProcess } from '../../../infra/local/supervised-process.ts';

export type SecondReplica = `second ${ServiceName}`;
/** A process that does the background work of a service, if its other processes only serve requests. */
export type Worker = `${ServiceName} worker` | `${SecondReplica} worker`;

/** A process of a service, besides its first one. */
export type ReplicaName = SecondReplica | Worker;

/**
 * Additional processes of services. Each shares the links of the service's first process. Unless the roles are separated, a second process serves
 * requests like the first. One of the two is the standby of the relay and of the queue's consumer, and both claim leases.
 */
export function furtherReplicas(o: {
  names: readonly ReplicaName[];
  port(name: ReplicaName): number;
  env(name: ReplicaName): Record<string, string>;
  releaseOf(name: ReplicaName): Release;
  logFile(name: string): string;
  onEvent(event: ProcessEvent): void;
}): Partial<Record<ReplicaName, SupervisedProcess>> {
  const replicas = o.names.map((name) => {
    const port = o.port(name);
    const replica = supervise({
      name,
      restarts: 'manual',
      onEvent: o.onEvent,
      start: (signal) =>
        startService(serviceOf(name), {
          ...{ port, signal },
          env: { ...inheritedEnv(), ...o.env(name), PORT: String(port) },
          logFile: o.logFile(name.replaceAll(' ', '-')),
          release: o.releaseOf(name),
        }),
    });
    return [name, replica] as const;
  });
  return Object.fromEntries(replicas) as Partial<Record<ReplicaName, SupervisedProcess>>;
}

/** The service of a process. */
export function serviceOf(name: ServiceName | ReplicaName): ServiceName {
  return name.replace(/^second | worker$/g, '') as ServiceName;
}
