import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { cpuTimeBetween, readCpuTimes } from './cpu-time.ts';
import { percentile } from './figures.ts';
import type { Contender } from './jobs-contenders.ts';
import { queue, type JobsWorld } from './jobs-world.ts';

type Claimed = { data: { id: string; lease_token: string }[] };

const claim = (limit: number, wait: number) => ({
  ...{ claim_id: randomUUID(), queues: [queue], limit, wait, worker: 'bench' },
});

/** Jobs are enqueued one by one while several workers wait, so that no job queues and only the latency is measured. */
const waiting = 4;
const samples = 300;
const pauseMs = 25;

/** From the request that enqueues a job to the response that gives it to a waiting worker, in milliseconds. */
export async function measurePickUp({ post }: JobsWorld): Promise<{ p50: number; p99: number }> {
  const enqueuedAt = new Map<number, number>();
  const latencies: number[] = [];
  const ending = new AbortController();
  const workers = Array.from({ length: waiting }, async () => {
    while (!ending.signal.aborted) {
      const { data } = await post<Claimed & { data: { payload: { n: number } }[] }>('/api/v1/jobs/claim', claim(1, 1));
      const [job] = data;
      if (job === undefined) continue;
      latencies.push(performance.now() - (enqueuedAt.get(job.payload.n) ?? Number.NaN));
      await post('/api/v1/jobs/settle', { items: [{ lease_token: job.lease_token, complete: {} }] });
    }
  });
  // until all workers wait
  await delay(500);
  for (let n = 0; n < samples; n++) {
    enqueuedAt.set(n, performance.now());
    await post('/api/v1/jobs', { queue, kind: 'render', payload: { n } });
    await delay(pauseMs);
  }
  await delay(500);
  ending.abort();
  await Promise.all(workers);
  if (latencies.length !== samples) throw new Error(`${latencies.length} of ${samples} jobs arrived`);
  return { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
}

/** Each worker has one job and a lease of 30 s, so it sends a heartbeat every ten seconds. */
const workersWithLeases = 1_000;
const heartbeatMs = 10_000;

/**
 * The share of a core that the heartbeats of 1,000 workers cost Tasks and PostgreSQL, beyond what both use without them. Each worker sends its own
 * requests, with one lease each.
 */
export async function measureHeartbeats(world: JobsWorld, contender: Contender): Promise<number> {
  const { post } = world;
  await contender.enqueue(workersWithLeases);
  const tokens: string[] = [];
  while (tokens.length < workersWithLeases) {
    const { data } = await post<Claimed>('/api/v1/jobs/claim', claim(100, 0));
    tokens.push(...data.map(({ lease_token }) => lease_token));
  }
  const beat = async (lease_token: string) => {
    const { data } = await post<{ data: { outcome: string }[] }>('/api/v1/jobs/heartbeat', {
      leases: [{ lease_token }],
    });
    if (data[0]?.outcome !== 'extended') throw new Error(`a heartbeat was answered ${data[0]?.outcome}`);
  };
  const idle = await coresUsed(world, async () => await delay(heartbeatMs));
  const busy = await coresUsed(world, async () => {
    const beats: Promise<void>[] = [];
    for (const token of tokens) {
      beats.push(beat(token));
      await delay(heartbeatMs / workersWithLeases - 0.5);
    }
    await Promise.all(beats);
  });
  for (let from = 0; from < tokens.length; from += 100) {
    const items = tokens.slice(from, from + 100).map((lease_token) => ({ lease_token, complete: {} }));
    await post('/api/v1/jobs/settle', { items });
  }
  return busy - idle;
}

async function coresUsed({ processes }: JobsWorld, work: () => Promise<void>): Promise<number> {
  const [before, began] = [readCpuTimes(processes()), performance.now()];
  await work();
  const used = cpuTimeBetween(before, readCpuTimes(processes()));
  return [...used.values()].reduce((sum, ms) => sum + ms, 0) / (performance.now() - began);
}

/** The backlog of a steady flow. A claim that does not know where to begin scans all of it. */
const flowBatch = 2_000;
/** Only the last part of the time counts, because dead rows accumulate. */
const lastShare = 1 / 3;

/** Jobs done per second in a steady flow, without and with a snapshot that another connection holds for `seconds`. */
export async function measureSnapshot(
  { suite }: JobsWorld,
  contender: Contender,
  seconds: number,
): Promise<{ without: number; held: number }> {
  const without = await flow(contender, 10);
  const holder = new pg.Client({ connectionString: suite.databaseUrl('tasks') });
  await holder.connect();
  try {
    await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await holder.query('SELECT count(*) FROM jobs');
    return { without, held: await flow(contender, seconds) };
  } finally {
    await holder.end();
  }
}

async function flow(contender: Contender, seconds: number): Promise<number> {
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1_000;
  let done = 0;
  let countedFrom: number | undefined;
  while (elapsed() < seconds) {
    if (countedFrom === undefined && elapsed() >= seconds * (1 - lastShare)) countedFrom = elapsed();
    await contender.enqueue(flowBatch);
    await contender.drain(flowBatch);
    if (countedFrom !== undefined) done += flowBatch;
  }
  return done / (elapsed() - (countedFrom ?? 0));
}
