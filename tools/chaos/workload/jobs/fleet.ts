import { jobClientToken, type JobClient } from '../../../../infra/local/job-client.ts';
import type { JobAct, ScheduleAct } from '../../job-evidence.ts';
import type { Random } from '../../random.ts';
import { calmEndMs } from '../../worker-faults.ts';
import type { Actor } from '../actors.ts';
import { createCalls, type Calls } from './calls.ts';
import { createFencedStore } from './fenced-store.ts';
import { serveStore } from './store-server.ts';
import { jobQueue, limitedKey, mostRunning } from './names.ts';
import { useSchedules } from './schedules.ts';
import { sendJobs } from './sender.ts';
import { startWorkerProcesses, type WorkerProcesses, type WorkerProcessesOptions } from './worker-processes.ts';
import { work, type SilentJobs } from './worker.ts';

/** Workers in this process: enough that two of them claim at the same time, and that the others still send heartbeats while one is silent. */
const simulatedWorkers = 4;

export type FleetOptions = Pick<WorkerProcessesOptions, 'dir' | 'planted' | 'onCrash'> & {
  url: string;
  client: JobClient;
  admin: Actor;
  random: Random;
  /** The wall time at which the traffic ends. */
  endsAt: number;
  onJob(act: JobAct): void;
  onSchedule(act: ScheduleAct): void;
  /** Aborted when the traffic ends. Workers then continue until `stop`. */
  ending: AbortSignal;
};

/** The programs that send and execute jobs, and the admin who uses schedules. */
export type Fleet = {
  /** Resolves when nothing more is sent. */
  sent: Promise<void>;
  /** The workers that are processes of their own. */
  workers: WorkerProcesses;
  /** Stops all workers; resolves when they have ended. May be called more than once. */
  stop(): Promise<void>;
};

/** Starts the fleet, after the limit of its concurrency key is set. */
export async function startFleet(o: FleetOptions): Promise<Fleet> {
  const { url, random, ending } = o;
  const stopping = new AbortController();
  const client = (number: number) => {
    const ip = `10.2.0.${number}`;
    return createCalls({ url, ip, token: async () => await jobClientToken(url, o.client, ip) });
  };
  const admin = createCalls({ url, ip: '10.2.1.1', token: async () => await userToken(url, o.admin) });
  await limitKey(admin);
  const dead: string[] = [];
  const [store, silent] = [createFencedStore(), new Map() as SilentJobs];
  const onDead = (jobId: string) => void (random.chance(0.5) && dead.push(jobId));
  const sent = Promise.all([
    sendJobs({ client: client(0), admin, random: random.fork('sender'), record: o.onJob, dead, ending }),
    useSchedules({ admin, random: random.fork('schedules'), record: o.onSchedule, endsAt: o.endsAt, ending }),
  ]).then(() => undefined);
  // awaited by the caller
  sent.catch(() => undefined);
  const working = Array.from({ length: simulatedWorkers }, async (_, index) => {
    const name = `worker ${index + 1}`;
    await work({
      ...{ name, store, silent, calls: client(index + 1), random: random.fork(name), record: o.onJob },
      ...{ onDead, calm: ending, stopping: stopping.signal },
    });
  });
  const storeServer = await serveStore({
    ...{ store, record: o.onJob },
    mayTakeLong: () => Date.now() < o.endsAt - calmEndMs && !ending.aborted,
  });
  const workers = await startWorkerProcesses({
    ...{ url, silent, onDead, client: o.client, dir: o.dir, planted: o.planted, onCrash: o.onCrash },
    ...{ storeUrl: storeServer.url, random, record: o.onJob, stopping: stopping.signal },
  });

  async function stop(): Promise<void> {
    stopping.abort();
    await Promise.all([...working, workers.stop()]);
    storeServer.close();
  }

  let stopped: Promise<void> | undefined;
  return { sent, workers, stop: async () => await (stopped ??= stop()) };
}

async function limitKey(admin: Calls): Promise<void> {
  const path = `/api/v1/job_limits/${jobQueue}/${limitedKey}`;
  const { outcome } = await admin(path, { max_running: mostRunning, rate: null }, { method: 'PUT' });
  if (outcome !== 'acknowledged') throw new Error(`the limit of ${limitedKey} could not be set: ${outcome}`);
}

async function userToken(url: string, { email, password }: Actor): Promise<string> {
  const response = await fetch(`${url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-forwarded-for': '10.2.1.1' },
    body: JSON.stringify({ email, password }),
    signal: AbortSignal.timeout(10_000),
  });
  if (response.status !== 200) throw new Error(`no token: ${response.status}`);
  return ((await response.json()) as { access_token: string }).access_token;
}
