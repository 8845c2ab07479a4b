import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { JobAct, JobOrder } from '../../job-evidence.ts';
import type { Random } from '../../random.ts';
import type { Calls } from './calls.ts';
import { jobQueue, limitedKey } from './names.ts';

/** About three requests with six jobs a second: a run of two minutes has several hundred jobs, and the machine is busy with other traffic too. */
const minPauseMs = 150;
const maxPauseMs = 500;
const largestBatch = 5;
/** Later than this, a job would delay the end of the run. */
const longestDelayMs = 4_000;
/** The jobs that a sender still refers to: predecessors, and jobs to cancel. */
const remembered = 20;

type Options = {
  /** The client that sends jobs, and the admin who replays dead ones. */
  client: Calls;
  admin: Calls;
  random: Random;
  record(act: JobAct): void;
  /** Jobs that died, as reported to workers. */
  dead: string[];
  ending: AbortSignal;
};

/** Enqueues jobs of every form until `ending`, cancels some, and replays dead ones. */
export async function sendJobs(o: Options): Promise<void> {
  const { random, record, ending } = o;
  const recent: string[] = [];
  let number = 0;

  function newOrder(): JobOrder {
    const isOrdered = random.chance(0.08) && recent.length > 0;
    return {
      name: `j${++number}`,
      priority: random.chance(0.3) ? random.between(1, 9) : 0,
      maxAttempts: random.chance(0.15) ? 2 : 20,
      runAt: random.chance(0.1) ? inFuture(random.between(500, longestDelayMs)) : null,
      uniqueKey: random.chance(0.12) ? `u${random.between(1, 4)}` : null,
      concurrencyKey: random.chance(0.2) ? limitedKey : random.chance(0.1) ? `free${random.between(1, 3)}` : null,
      after: isOrdered ? random.shuffled(recent).slice(0, random.between(1, 2)) : [],
    };
  }

  async function enqueue(): Promise<void> {
    const jobs = Array.from({ length: random.chance(0.35) ? random.between(2, largestBatch) : 1 }, newOrder);
    const [single] = jobs;
    // without a key, a request without a response must not be repeated
    const isKeyed = random.chance(0.8);
    const options = {
      maxTries: isKeyed ? 4 : 1,
      again: isKeyed && random.chance(0.06),
      ...(isKeyed && { headers: { 'idempotency-key': randomUUID() } }),
      ...(random.chance(0.04) && { patienceMs: random.between(1, 40) }),
    };
    const at = new Date().toISOString();
    const called =
      jobs.length === 1 && single !== undefined
        ? await o.client('/api/v1/jobs', bodyOf(single, random), options)
        : await o.client('/api/v1/jobs/batch', { jobs: jobs.map((job) => bodyOf(job, random)) }, options);
    const receipts = receiptsOf(called.body);
    const repeated = called.repeated.map((body) => receiptsOf(body).map(({ id }) => id));
    record({ kind: 'enqueue', at, outcome: called.outcome, jobs, receipts, repeated });
    recent.push(...receipts.map(({ id }) => id));
    recent.splice(0, recent.length - remembered);
  }

  async function cancel(): Promise<void> {
    const jobId = recent.length === 0 ? undefined : random.pick(recent);
    if (jobId === undefined) return;
    const at = new Date().toISOString();
    const { outcome, body } = await o.client(`/api/v1/jobs/${jobId}/cancel`, {}, { maxTries: 2 });
    record({ kind: 'cancel', at, jobId, outcome, state: (body['state'] as string | undefined) ?? null });
  }

  async function replay(): Promise<void> {
    const jobId = o.dead.shift();
    if (jobId === undefined) return;
    const at = new Date().toISOString();
    // a second attempt could replay the job once more, after it has died again
    const { outcome } = await o.admin(`/api/v1/jobs/${jobId}/replay`, { reason: 'chaos' }, { maxTries: 1 });
    record({ kind: 'replay', at, jobId, outcome });
  }

  while (!ending.aborted) {
    const drawn = random.next();
    if (drawn < 0.88) await enqueue();
    else if (drawn < 0.95) await cancel();
    else await replay();
    await delay(random.between(minPauseMs, maxPauseMs), undefined, { signal: ending }).catch(() => undefined);
  }
}

function bodyOf(job: JobOrder, random: Random): object {
  const unique = random.chance(0.7)
    ? { until: 'settled', on_conflict: 'return' }
    : { until: 'window', window: 'PT3S', on_conflict: random.chance(0.5) ? 'return' : 'reject' };
  return {
    ...{ queue: jobQueue, kind: 'chaos', payload: { name: job.name } },
    ...{ priority: job.priority, max_attempts: job.maxAttempts, after: job.after },
    ...(job.runAt !== null && { run_at: job.runAt }),
    ...(job.uniqueKey !== null && { unique: { key: job.uniqueKey, ...unique } }),
    ...(job.concurrencyKey !== null && { concurrency_key: job.concurrencyKey }),
  };
}

function receiptsOf(body: Record<string, unknown>): { id: string; isExisting: boolean }[] {
  type Receipt = { id: string; is_existing: boolean };
  const receipts = Array.isArray(body['data']) ? (body['data'] as Receipt[]) : 'id' in body ? [body as Receipt] : [];
  return receipts.map(({ id, is_existing: isExisting }) => ({ id, isExisting }));
}

function inFuture(ms: number): string {
  return new Date(Date.now() + ms).toISOString();
}
