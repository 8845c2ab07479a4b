import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { inheritedEnv, startProcess } from '@taskwire/process-supervisor';
import type { JobClient } from '../../../../infra/local/job-client.ts';
import { supervise, type ProcessEvent, type SupervisedProcess } from '../../../../infra/local/supervised-process.ts';
import type { Crash } from '../../evidence.ts';
import { preloading } from '../../suite/proxied.ts';
import type { BugName } from '../../bugs.ts';
import { nameOf, workerProcesses, type WorkerFault, type WorkerProcess } from '../../worker-faults.ts';
import { startWorkerLink, type WorkerLink, type WorkerLinkOptions } from './worker-link.ts';

export type WorkerProcessesOptions = Omit<WorkerLinkOptions, 'worker' | 'ip'> & {
  client: JobClient;
  /** The address of the store of `worker-program.ts`. */
  storeUrl: string;
  /** Where the processes log. */
  dir: string;
  /** Deliberate bugs. */
  planted: readonly BugName[];
  onCrash(crash: Crash): void;
};

/** Processes that execute jobs with `@taskwire/worker`, each with its own link to the gateway. */
export type WorkerProcesses = {
  /** Disturbs a process; resolves with what happened when the fault has ended. `wait` ends early when the traffic ends. @throws if the process is down. */
  disturb(fault: WorkerFault, wait: (ms: number) => Promise<unknown>): Promise<string>;
  /** Stops them with SIGTERM; resolves when they have ended. */
  stop(): Promise<void>;
};

const program = fileURLToPath(new URL('worker-program.ts', import.meta.url));
/** Its grace of 2 s, and the time for the last settlements. */
const stopTimeoutMs = 15_000;
/** How long a kill waits until the process has jobs and a settlement on its way. */
const findsJobsMs = 4_000;
const lookEveryMs = 20;

type One = { link: WorkerLink; process: SupervisedProcess };

/** Starts the processes. One that ends by itself is reported and restarted. */
export async function startWorkerProcesses(o: WorkerProcessesOptions): Promise<WorkerProcesses> {
  const all = new Map<WorkerProcess, One>();
  for (const number of workerProcesses) all.set(number, await startOne(o, number));

  async function kill({ link, process }: One, downMs: number, wait: (ms: number) => Promise<unknown>): Promise<string> {
    if (process.pid() === undefined) throw new Error('it is not running');
    const letPass = link.holdSettlements();
    try {
      const until = performance.now() + findsJobsMs;
      while (performance.now() < until && !(link.counts().held > 0 && link.counts().leases > 1))
        await delay(lookEveryMs);
      const { leases, held } = link.counts();
      await process.kill();
      return `it had ${leases} jobs, and ${held} requests to settle jobs were on their way`;
    } finally {
      letPass();
      link.forget();
      await wait(downMs);
      await process.start();
    }
  }

  async function freeze({ process: frozen }: One, ms: number, wait: (ms: number) => Promise<unknown>): Promise<void> {
    const pid = frozen.pid();
    if (pid === undefined) throw new Error('it is not running');
    process.kill(pid, 'SIGSTOP');
    await wait(ms);
    process.kill(pid, 'SIGCONT');
  }

  async function cut({ link }: One, ms: number, wait: (ms: number) => Promise<unknown>): Promise<void> {
    link.setCut(true);
    await wait(ms);
    link.setCut(false);
  }

  return {
    async disturb(fault, wait) {
      const one = all.get(fault.worker)!;
      if (fault.kind === 'kill_worker_process') return await kill(one, fault.downMs, wait);
      const { leases } = one.link.counts();
      await (fault.kind === 'freeze_worker_process' ? freeze : cut)(one, fault.ms, wait);
      return `it had ${leases} jobs`;
    },
    async stop() {
      await Promise.all([...all.values()].map(({ process }) => process.stop()));
      await Promise.all([...all.values()].map(({ link }) => link.close()));
    },
  };
}

async function startOne(o: WorkerProcessesOptions, number: WorkerProcess): Promise<One> {
  const name = nameOf(number);
  const link = await startWorkerLink({ ...o, worker: name, ip: `10.2.2.${number}`, random: o.random.fork(name) });
  const { id, secret } = o.client;
  const env = {
    ...inheritedEnv(),
    ...{ TASKWIRE_URL: link.url, STORE_URL: o.storeUrl, CLIENT_ID: id, CLIENT_SECRET: secret, WORKER_NAME: name },
    ...(o.planted.length > 0 && { NODE_OPTIONS: preloading('bug'), TASKWIRE_CHAOS_BUGS: o.planted.join() }),
  };
  const supervised = supervise({
    ...{ name, restarts: 'manual', onEvent },
    start: async (signal) =>
      await startProcess({
        ...{ name, env, signal, stopTimeoutMs, command: process.execPath, args: ['--no-warnings', program] },
        logFile: join(o.dir, 'logs', `${name.replaceAll(' ', '-')}.log`),
        // it accepts no requests
        ready: async () => await Promise.resolve(true),
        readyTimeoutMs: 10_000,
      }),
  });

  /** A worker that ends without being stopped would leave its jobs to others. */
  function onEvent(event: ProcessEvent): void {
    if (event.kind !== 'exited' || event.how.includes('SIGKILL')) return;
    const errors = readFileSync(event.logFile, 'utf8').trim().split('\n').slice(-3);
    o.onCrash({ process: name, how: event.how, errors });
    void supervised.start().catch(() => undefined);
  }

  await supervised.start();
  return { link, process: supervised };
}
