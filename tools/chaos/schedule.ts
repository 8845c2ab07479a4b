import type { LinkFault } from '@taskwire/process-supervisor';
import { serviceNames, type ServiceName } from '../../infra/local/secrets.ts';
import { linkNames, links, type LinkName } from './links.ts';
import type { SecondReplica } from './suite/further-replicas.ts';
import type { Random } from './random.ts';
import { describeWorkerFault, isWorkerFault, type WorkerFault } from './worker-faults.ts';

/** A service that has a queue. */
export type Consumer = 'tasks' | 'notifications';

/** The ways in which a message can be impossible to handle. */
export const poisonForms = ['not_json', 'wrong_schema', 'unknown_version', 'no_message_id'] as const;
export type PoisonForm = (typeof poisonForms)[number];

/** A fault and its duration. Times are in milliseconds. */
export type Fault =
  | WorkerFault
  /** kill -9; restarted after `downMs`. */
  | { kind: 'kill_service'; service: ServiceName | SecondReplica; downMs: number }
  /** kill -9 of the process that currently does the work of a service, while no other fault is active: the other process has to take over. */
  | { kind: 'takeover'; of: ServiceName }
  /** SIGSTOP, then SIGCONT: in between, the process still appears to be alive. */
  | { kind: 'freeze_service'; service: ServiceName | SecondReplica; ms: number }
  | { kind: 'kill_broker'; downMs: number }
  | { kind: 'restart_broker'; downMs: number }
  | { kind: 'kill_postgres'; downMs: number }
  /** Done by the operator, through the management API. */
  | { kind: 'close_broker_connections'; of: ServiceName }
  | { kind: 'close_database_connections'; of: ServiceName }
  | { kind: 'link'; link: LinkName; fault: LinkFault; ms: number }
  /** The wall clock of a service jumps, and stays there until it jumps again. */
  | { kind: 'clock'; service: ServiceName; offsetMs: number }
  /** Previously published messages are delivered once more. */
  | { kind: 'duplicate'; to: Consumer; count: number }
  /** Messages published during `ms` reach the queue in random order. */
  | { kind: 'reorder'; to: Consumer; ms: number }
  | { kind: 'poison'; to: Consumer; form: PoisonForm }
  | { kind: 'alarm'; of: 'memory' | 'disk'; ms: number };

/** `at` counts from the start of the traffic. */
export type PlannedFault = { at: number; fault: Fault };

/**
 * The gap between two faults: short enough that some faults overlap, but long enough that the suite recovers from most of them before the next. About
 * 40 faults fill two minutes.
 */
const minGapMs = 1_200;
const maxGapMs = 4_000;
/** A period without other faults, before the first fault and for each takeover, so that a slow takeover has no other cause. */
const calmMs = 2_500;
const takeoverMs = 6_000;
/** A period at the end for the last faults, while the traffic continues. */
const quietEndMs = 5_000;

/**
 * The faults of a run. If each service has two processes, the run begins with one takeover for each service. The other faults are drawn from shuffled
 * decks that contain every kind, so that a run of two minutes includes nearly all kinds. The same seed gives the same faults; a longer run begins
 * with the faults of a shorter one.
 */
export function planFaults(random: Random, durationMs: number, replicas: 1 | 2): PlannedFault[] {
  const planned: PlannedFault[] = [];
  let at = calmMs;
  for (const of of replicas === 2 ? random.shuffled(serviceNames) : []) {
    planned.push({ at, fault: { kind: 'takeover', of } });
    at += takeoverMs;
  }
  let cards: Fault[] = [];
  for (; at < durationMs - quietEndMs; at += random.between(minGapMs, maxGapMs)) {
    if (cards.length === 0) cards = random.shuffled(deck(random, replicas));
    planned.push({ at, fault: cards.pop()! });
  }
  return planned.filter((one) => one.at < durationMs - quietEndMs);
}

function deck(random: Random, replicas: 1 | 2): Fault[] {
  const [anyService, otherService, thirdService] = random.shuffled(serviceNames) as [
    ServiceName,
    ServiceName,
    ServiceName,
  ];
  const down = () => random.between(0, 3_000);
  const second = (service: ServiceName) => (replicas === 2 ? (`second ${service}` as const) : service);
  return [
    ...serviceNames.map((service): Fault => ({ kind: 'kill_service', service, downMs: down() })),
    ...serviceNames.map((service): Fault => ({ kind: 'kill_service', service: second(service), downMs: down() })),
    { kind: 'freeze_service', service: anyService, ms: random.between(1_000, 6_000) },
    { kind: 'freeze_service', service: second(otherService), ms: random.between(1_000, 6_000) },
    { kind: 'kill_broker', downMs: down() },
    { kind: 'restart_broker', downMs: down() },
    { kind: 'kill_postgres', downMs: down() },
    { kind: 'close_broker_connections', of: anyService },
    { kind: 'close_broker_connections', of: otherService },
    { kind: 'close_database_connections', of: otherService },
    { kind: 'close_database_connections', of: thirdService },
    ...linkFaults(random),
    { kind: 'clock', service: anyService, offsetMs: random.between(-90_000, 90_000) },
    { kind: 'clock', service: otherService, offsetMs: random.between(-90_000, 90_000) },
    { kind: 'duplicate', to: 'tasks', count: random.between(5, 30) },
    { kind: 'duplicate', to: 'notifications', count: random.between(20, 80) },
    { kind: 'reorder', to: 'tasks', ms: random.between(1_000, 3_000) },
    { kind: 'reorder', to: 'notifications', ms: random.between(500, 2_000) },
    { kind: 'poison', to: random.pick(['tasks', 'notifications']), form: random.pick(poisonForms) },
    { kind: 'alarm', of: 'memory', ms: random.between(1_000, 5_000) },
    { kind: 'alarm', of: 'disk', ms: random.between(1_000, 5_000) },
  ];
}

function linkFaults(random: Random): Fault[] {
  const speaking = (...protocols: string[]) => linkNames.filter((name) => protocols.includes(links[name].speaks));
  const toAuth = linkNames.filter((name) => links[name].to === 'auth');
  const ms = () => random.between(1_500, 6_000);
  const onOneOf = (among: readonly LinkName[], fault: LinkFault): Fault => ({
    kind: 'link',
    link: random.pick(among),
    fault,
    ms: ms(),
  });
  const unavailable = (status: number): LinkFault => ({
    kind: 'answer',
    status,
    retryAfterSeconds: random.between(1, 3),
  });
  return [
    onOneOf(speaking('http', 'smtp'), { kind: 'cut' }),
    onOneOf(speaking('postgres', 'amqp'), { kind: 'cut' }),
    onOneOf(linkNames, { kind: 'delay', ms: random.between(50, 800) }),
    onOneOf(toAuth, { kind: 'delay', ms: random.between(200, 1_500) }),
    onOneOf(linkNames, { kind: 'throttle', bytesPerSecond: random.between(2_000, 40_000) }),
    onOneOf(['notifications-mail'], { kind: 'delay', ms: random.between(200, 1_000) }),
    onOneOf(speaking('postgres', 'amqp'), { kind: 'mute' }),
    onOneOf(speaking('http'), { kind: 'mute' }),
    onOneOf(['notifications-mail'], { kind: 'mute' }),
    onOneOf(speaking('postgres', 'amqp'), { kind: 'half_open' }),
    onOneOf(speaking('http', 'smtp'), { kind: 'half_open' }),
    onOneOf(toAuth, unavailable(503)),
    onOneOf(toAuth, unavailable(429)),
    onOneOf(['notifications-tasks'], unavailable(503)),
  ];
}

/** A readable description of a fault in a few words. */
export function describeFault(fault: Fault): string {
  if (isWorkerFault(fault)) return describeWorkerFault(fault);
  switch (fault.kind) {
    case 'kill_service':
      return `kill -9 ${fault.service}`;
    case 'takeover':
      return `kill -9 the process that does the work of ${fault.of}, so that the other takes over`;
    case 'freeze_service':
      return `freeze ${fault.service} for ${fault.ms} ms`;
    case 'kill_broker':
      return 'kill -9 broker';
    case 'restart_broker':
      return 'restart broker';
    case 'kill_postgres':
      return 'kill -9 PostgreSQL';
    case 'close_broker_connections':
      return `close broker connections of ${fault.of}`;
    case 'close_database_connections':
      return `close database connections of ${fault.of}`;
    case 'link':
      return `${fault.link}: ${describeLinkFault(fault.fault)} for ${fault.ms} ms`;
    case 'clock':
      return `clock of ${fault.service} ${fault.offsetMs > 0 ? '+' : ''}${(fault.offsetMs / 1000).toFixed(0)} s`;
    case 'duplicate':
      return `duplicate ${fault.count} messages to ${fault.to}`;
    case 'reorder':
      return `reorder messages to ${fault.to} for ${fault.ms} ms`;
    case 'poison':
      return `poison for ${fault.to}: ${fault.form}`;
    case 'alarm':
      return `${fault.of} alarm for ${fault.ms} ms`;
  }
}

function describeLinkFault(fault: LinkFault): string {
  switch (fault.kind) {
    case 'delay':
      return `delay ${fault.ms} ms`;
    case 'throttle':
      return `throttle to ${fault.bytesPerSecond} B/s`;
    case 'answer':
      return `answers ${fault.status}`;
    default:
      return fault.kind;
  }
}

/** The label under which the report counts a fault. */
export function faultLabel(fault: Fault): string {
  switch (fault.kind) {
    case 'link':
      return `link ${fault.fault.kind === 'answer' ? `answers ${fault.fault.status}` : fault.fault.kind}`;
    case 'alarm':
      return `${fault.of} alarm`;
    default:
      return fault.kind.replaceAll('_', ' ');
  }
}
