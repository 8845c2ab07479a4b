import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { JobAct, LeaseEnding } from '../../job-evidence.ts';
import type { Random } from '../../random.ts';
import { itemsOf, type ClaimedJob, type ExtendedLease, type SettledLease } from './answers.ts';
import type { Calls } from './calls.ts';
import type { FencedStore } from './fenced-store.ts';
import { jobQueue, leaseSeconds, returnMs, sharedMs } from './names.ts';

const heartbeatMs = leaseSeconds * 333;
const waitSeconds = 2;
/** The first attempt may wait for a job; a response that has not arrived after the lease is of no use. */
const claimPatienceMs = 5_000;
const mostJobs = 3;

/** The key is the id of a job. */
export type SilentJobs = Map<string, AbortController>;

export type WorkerOptions = {
  name: string;
  calls: Calls;
  random: Random;
  store: FencedStore;
  record(act: JobAct): void;
  /** Called with jobs that died. */
  onDead(jobId: string): void;
  /** The jobs of workers that were silent. Aborted when the job is leased again. All workers have the same map. */
  silent: SilentJobs;
  /** Aborted when the faults end: from then on, no lease is abandoned. */
  calm: AbortSignal;
  /** Aborted when no job is left. */
  stopping: AbortSignal;
};

type Lease = { jobId: string; fence: number; token: string; cancelRequested: boolean; isLost: boolean };

/** Claims and executes jobs until `stopping`. */
export async function work(o: WorkerOptions): Promise<void> {
  const { calls, random, record, stopping } = o;
  const absent = new Set<Promise<void>>();
  while (!stopping.aborted) {
    const leases = await claim(o);
    const running = leases.map(async (lease) => {
      if (!random.chance(0.05) || o.calm.aborted) return await execute(o, lease);
      // stops silently, and may return when the lease has ended
      if (random.chance(0.7)) {
        const returned = returnLate(o, lease).finally(() => absent.delete(returned));
        absent.add(returned);
      }
    });
    await Promise.all(running);
    if (leases.length === 0) await delay(50);
  }
  await Promise.all(absent);

  async function claim(worker: WorkerOptions): Promise<Lease[]> {
    const limit = random.between(1, mostJobs);
    const body = {
      ...{ claim_id: randomUUID(), queues: [jobQueue], worker: worker.name },
      ...{ limit, lease_seconds: leaseSeconds, wait: waitSeconds },
    };
    const at = new Date().toISOString();
    const isImpatient = random.chance(0.03) && !worker.calm.aborted;
    const patienceMs = isImpatient ? random.between(1, 60) : claimPatienceMs;
    // a repeated claim gets the same jobs; a worker whose claim stays uncertain abandons the leases
    const { body: claimed } = await calls('/api/v1/jobs/claim', body, { patienceMs, maxTries: isImpatient ? 1 : 3 });
    return itemsOf<ClaimedJob>(claimed).map((job) => {
      const { id: jobId, fence, lease_token: token, lease_expires_at: expiresAt, payload } = job;
      record({ kind: 'lease', at, worker: worker.name, jobId, fence, name: payload.name, expiresAt });
      return { jobId, fence, token, cancelRequested: false, isLost: false };
    });
  }
}

async function execute(o: WorkerOptions, lease: Lease): Promise<void> {
  const { random } = o;
  write(o, lease);
  const isLong = random.chance(0.05) && !o.calm.aborted;
  const earlier = o.silent.get(lease.jobId);
  earlier?.abort();
  const ms = isLong ? random.between(6_000, 20_000) : random.between(20, 700);
  const until = performance.now() + ms + (earlier === undefined ? 0 : sharedMs);
  await heartbeat(o, lease);
  while (performance.now() < until && !lease.isLost && !lease.cancelRequested) {
    await delay(Math.min(heartbeatMs, until - performance.now()));
    if (performance.now() < until) await heartbeat(o, lease);
  }
  if (lease.isLost) return;
  write(o, lease);
  await settle(o, lease);
}

/** A worker that was frozen or cut off: it still has its lease in memory, writes, and settles. */
async function returnLate(o: WorkerOptions, lease: Lease): Promise<void> {
  const { random } = o;
  const leasedAgain = new AbortController();
  o.silent.set(lease.jobId, leasedAgain);
  if (random.chance(0.5)) await heartbeat(o, lease);
  const signal = AbortSignal.any([o.stopping, leasedAgain.signal]);
  await delay(random.between(returnMs.min, returnMs.max), undefined, { signal }).catch(() => undefined);
  if (leasedAgain.signal.aborted) await delay(random.between(50, sharedMs));
  o.silent.delete(lease.jobId);
  write(o, lease);
  await settle(o, lease);
}

function write({ store, record }: WorkerOptions, { jobId, fence }: Lease): void {
  record({ kind: 'write', at: new Date().toISOString(), jobId, fence, accepted: store.write(jobId, fence) });
}

async function heartbeat({ calls, record }: WorkerOptions, lease: Lease): Promise<void> {
  const body = { leases: [{ lease_token: lease.token, progress: { fence: lease.fence } }] };
  const { body: answer } = await calls('/api/v1/jobs/heartbeat', body, { maxTries: 2 });
  const [extended] = itemsOf<ExtendedLease>(answer);
  // without a response, the lease may still be valid
  if (extended === undefined) return;
  lease.isLost = extended.outcome === 'lease_lost';
  lease.cancelRequested = extended.cancel_requested === true;
  const expiresAt = extended.lease_expires_at ?? null;
  record({ kind: 'heartbeat', at: new Date().toISOString(), fence: lease.fence, expiresAt });
}

const verbs = { completed: 'complete', failed: 'fail', released: 'release' } as const;

async function settle(o: WorkerOptions, lease: Lease): Promise<void> {
  const { calls, random, record } = o;
  const { jobId, fence, token } = lease;
  const ending = drawEnding(random, lease);
  const answer = { completed: { result: { fence } }, failed: failure(random), released: {} }[ending];
  const sentAt = new Date().toISOString();
  const options = { again: random.chance(0.08) };
  const isSingle = random.chance(0.4);
  const { outcome, body, status } = isSingle
    ? await calls(`/api/v1/jobs/${jobId}/${verbs[ending]}`, { lease_token: token, ...answer }, options)
    : await calls(
        '/api/v1/jobs/settle',
        { items: [{ lease_token: token, [verbs[ending]]: ending === 'released' ? true : answer }] },
        options,
      );
  const item: Partial<SettledLease> = isSingle ? body : (itemsOf<SettledLease>(body)[0] ?? {});
  const isLost = item.outcome === 'lease_lost' || (outcome === 'refused' && status === 409);
  const state = item.state ?? null;
  const answered = isLost ? 'lease_lost' : outcome === 'acknowledged' ? 'settled' : 'unknown';
  record({ kind: 'settle', sentAt, jobId, fence, ending, outcome: answered, state });
  if (state === 'dead') o.onDead(jobId);
}

function drawEnding(random: Random, { cancelRequested }: Lease): LeaseEnding {
  const drawn = random.next();
  if (cancelRequested && drawn < 0.5) return 'released';
  if (drawn < 0.84) return 'completed';
  return drawn < 0.95 ? 'failed' : 'released';
}

/** Back-off would begin at 5 s and double, so most failures name a pause. */
function failure(random: Random): object {
  const isFinal = random.chance(0.25);
  return {
    code: 'chaos',
    message: 'as planned',
    final: isFinal,
    ...(!isFinal && { retry_after: random.between(0, 2) }),
  };
}
