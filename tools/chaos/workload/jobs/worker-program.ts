// A worker in a process of its own, as its author would write it with @taskwire/worker. Chaos kills, freezes and cuts it off; see worker-processes.ts.
import { setTimeout as delay } from 'node:timers/promises';
import { createWorker, JobError, type Job, type JobContext } from '@taskwire/worker';
import { jobQueue, leaseSeconds } from './names.ts';
import type { StoreAnswer, StoreWrite } from './store-server.ts';

const {
  TASKWIRE_URL: url = '',
  STORE_URL: store = '',
  CLIENT_ID: clientId = '',
  CLIENT_SECRET: secret = '',
} = process.env;

/** Longer than a lease, so that a job whose heartbeats do not arrive has to stop. */
const longMs = { least: 17_000, most: 24_000 };
const longShare = 0.08;
const shortMs = { least: 50, most: 900 };
const stepMs = 1_000;
const failedShare = 0.08;
const finalShare = 0.3;

/** A pause of this length is noticed. A worker aborts its handlers 2.5 s before a lease of 15 s ends. */
const noticedPauseMs = 1_000;
const tickMs = 50;
let [tickedAt, pausedAt] = [performance.now(), -Infinity];
notePause();
setInterval(notePause, tickMs).unref();

function notePause(): void {
  const now = performance.now();
  if (now - tickedAt > noticedPauseMs) pausedAt = now;
  tickedAt = now;
}

/** Whether this process was paused in the last lease period: then it cannot know that a lease has ended. */
function wasPaused(): boolean {
  notePause();
  return performance.now() - pausedAt < leaseSeconds * 1_000;
}

/** Writes to a store, which refuses the writes of workers that have lost their job. */
async function write(jobId: string, fence: number): Promise<StoreAnswer> {
  const body: StoreWrite = { jobId, fence, at: new Date().toISOString(), wasPaused: wasPaused() };
  const answer = (await (await fetch(store, { method: 'POST', body: JSON.stringify(body) })).json()) as StoreAnswer;
  if (!answer.accepted) throw new JobError('stale_fence', 'A later worker has the job.', { retryAfter: 0 });
  return answer;
}

async function handle({ id }: Job, { signal, progress, fence }: JobContext): Promise<object> {
  const { mayTakeLong } = await write(id, fence);
  progress({ fence });
  const { least, most } = mayTakeLong && Math.random() < longShare ? longMs : shortMs;
  const until = performance.now() + least + Math.random() * (most - least);
  for (let left = until - performance.now(); left > 0; left = until - performance.now()) {
    await delay(Math.min(stepMs, left), undefined, { signal });
    await write(id, fence);
  }
  if (Math.random() < failedShare) {
    throw new JobError('chaos', 'as planned', { final: Math.random() < finalShare, retryAfter: 1 });
  }
  return { fence };
}

await createWorker({
  ...{ url, auth: { clientId, credential: secret }, queues: [jobQueue], leaseSeconds },
  ...{ concurrency: 3, graceSeconds: 2, handler: handle, name: process.env['WORKER_NAME'] ?? '' },
  onEvent: (event) => console.log(JSON.stringify({ at: new Date().toISOString(), ...event })),
}).run();
