import type { Random } from './random.ts';

/** The worker processes of the workload, by number. */
export const workerProcesses = [1, 2] as const;
export type WorkerProcess = (typeof workerProcesses)[number];

/** A fault of a process that executes jobs with `@taskwire/worker`. Times are in milliseconds. */
export type WorkerFault =
  /** kill -9 while it has jobs, and with a settlement on its way that arrives late; restarted after `downMs`. */
  | { kind: 'kill_worker_process'; worker: WorkerProcess; downMs: number }
  /** SIGSTOP for longer than a lease, then SIGCONT: it continues with jobs that others may have by then. */
  | { kind: 'freeze_worker_process'; worker: WorkerProcess; ms: number }
  /** No request reaches the gateway for longer than a lease: it has to stop its handlers before their leases end. */
  | { kind: 'cut_worker_process'; worker: WorkerProcess; ms: number };

/** The name of a worker process in the records of a run. */
export function nameOf(worker: WorkerProcess): string {
  return `worker process ${worker}`;
}

/** Whether a worker of the records was a process of its own. */
export function isProcess(name: string): boolean {
  return name.startsWith('worker process ');
}

/** `at` counts from the start of the traffic. */
type PlannedWorkerFault = { at: number; fault: WorkerFault };

/** The takeovers of the services come first, without other faults. */
const firstMs = 21_000;
/** Each process is disturbed every second time, so that it has recovered. */
const minGapMs = 9_000;
const maxGapMs = 13_000;
const longerThanLease = { least: 16_500, most: 20_000 };
/**
 * A lease that is lost at the end of the traffic would prolong the run. From this time before the end on, no worker process is disturbed, and none starts
 * a job that takes longer than a lease.
 */
export const calmEndMs = 25_000;

/** The faults of worker processes in a run: first a kill and a cut in any order, then shuffled decks. They do not affect the other faults of the seed. */
export function planWorkerFaults(random: Random, durationMs: number): PlannedWorkerFault[] {
  const planned: PlannedWorkerFault[] = [];
  let cards: WorkerFault['kind'][] = random.shuffled(['kill_worker_process', 'cut_worker_process']);
  let at = firstMs;
  for (let count = 0; at < durationMs - calmEndMs; count++, at += random.between(minGapMs, maxGapMs)) {
    if (cards.length === 0) {
      cards = random.shuffled([
        ...(['kill_worker_process', 'kill_worker_process'] as const),
        ...(['freeze_worker_process', 'cut_worker_process'] as const),
      ]);
    }
    const worker = workerProcesses[count % workerProcesses.length]!;
    const kind = cards.pop()!;
    const ms = random.between(longerThanLease.least, longerThanLease.most);
    const fault =
      kind === 'kill_worker_process' ? { kind, worker, downMs: random.between(0, 3_000) } : { kind, worker, ms };
    planned.push({ at, fault });
  }
  return planned;
}

export function isWorkerFault(fault: { kind: string }): fault is WorkerFault {
  return fault.kind.endsWith('_worker_process');
}

export function describeWorkerFault(fault: WorkerFault): string {
  const process = nameOf(fault.worker);
  switch (fault.kind) {
    case 'kill_worker_process':
      return `kill -9 ${process}`;
    case 'freeze_worker_process':
      return `freeze ${process} for ${fault.ms} ms`;
    case 'cut_worker_process':
      return `cut ${process} off for ${fault.ms} ms`;
  }
}
