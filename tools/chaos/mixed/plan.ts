import { serviceNames, type ServiceName } from '../../../infra/local/secrets.ts';
import type { Random } from '../random.ts';
import type { ReplicaName } from '../suite/further-replicas.ts';

/** A process of a service. */
type ProcessName = ServiceName | ReplicaName;

/** The two releases that run side by side. */
export type Side = 'old' | 'new';

type Role = 'api' | 'worker';

/** One step of a rolling update. Times in milliseconds. */
export type Step =
  /** The new release migrates a service's database, while processes of the old one use it. */
  | { kind: 'migrate'; service: ServiceName }
  /** A process is stopped in the same way as by an orchestrator, and started again with the other release. */
  | { kind: 'swap'; process: ProcessName; to: Side }
  /** Nothing changes for a while. The processes that serve requests run one release, and those that relay and consume run the other. */
  | { kind: 'mix'; service: ServiceName; api: Side; worker: Side; ms: number };

/** Long enough for dozens of requests to each service at the rate of a run. */
const minMixMs = 3_000;
const maxMixMs = 6_000;

/**
 * A random rolling update of these services, from all old to all new. Each service is migrated while its old processes run. Then one role is updated
 * before the other, so that old workers send rows written by new `api` processes, or the reverse. For the services with an outbox, one role is rolled
 * back in between, so that both cases occur. Notifications rolls back one process. The services' steps alternate at random.
 */
export function planSteps(random: Random, services: readonly ServiceName[] = serviceNames): Step[] {
  const queues = random.shuffled(services).map((service) => stepsOf(service, random.fork(service)));
  const steps: Step[] = [];
  while (queues.some((queue) => queue.length > 0)) {
    const left = queues.filter((queue) => queue.length > 0);
    // in small groups, so that several services have processes of both releases at the same time
    steps.push(...random.pick(left).splice(0, random.between(1, 3)));
  }
  return steps;
}

function stepsOf(service: ServiceName, random: Random): Step[] {
  const first = random.pick<Role>(['api', 'worker']);
  const second: Role = first === 'api' ? 'worker' : 'api';
  const swap = (role: Role, to: Side): Step[] =>
    random.shuffled(processesOf(service, role)).map((process) => ({ kind: 'swap', process, to }));
  const mix = (updated: Role): Step => ({
    ...{ kind: 'mix', service, ms: random.between(minMixMs, maxMixMs) },
    api: updated === 'api' ? 'new' : 'old',
    worker: updated === 'worker' ? 'new' : 'old',
  });
  if (service === 'notifications') {
    const [one, other] = swap(second, 'new') as [Step & { kind: 'swap' }, Step];
    const back: Step = { ...one, to: 'old' };
    return [{ kind: 'migrate', service }, ...swap(first, 'new'), mix(first), one, back, other, one];
  }
  return [
    { kind: 'migrate', service },
    ...swap(first, 'new'),
    mix(first),
    ...swap(first, 'old'),
    ...swap(second, 'new'),
    mix(second),
    ...swap(first, 'new'),
  ];
}

function processesOf(service: ServiceName, role: Role): ProcessName[] {
  return role === 'api' ? [service, `second ${service}`] : [`${service} worker`, `second ${service} worker`];
}

/** A step in words. */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case 'migrate':
      return `migrate the database of ${step.service}, while its old processes run`;
    case 'swap':
      return `${step.to === 'new' ? 'update' : 'roll back'} ${step.process}`;
    case 'mix':
      return `${step.ms} ms: ${step.worker} workers of ${step.service} send and take what ${step.api} processes write`;
  }
}
