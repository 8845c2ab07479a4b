import { randomUUID } from 'node:crypto';
import { addJobClient, jobClientToken } from '../../infra/local/job-client.ts';
import { until, type World } from './world.ts';

type Claimed = { id: string; lease_token: string };

/** A worker of a queue that sends no heartbeats. */
export type JobWorker = {
  enqueue(count: number): Promise<unknown>;
  claim(limit: number): Promise<Claimed[]>;
  /** `outcome`: `complete` or `fail`, as in the request. */
  settle(jobs: readonly Claimed[], outcome: object): Promise<unknown>;
};

/** Registers a worker of a queue. */
export async function startWorker({ suite }: World, queue: string): Promise<JobWorker> {
  const token = await jobClientToken(suite.url, await addJobClient(suite, { id: queue, queue }));
  async function post<T>(path: string, body: object): Promise<T> {
    const response = await fetch(`${suite.url}/api/v1/jobs/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }
  return {
    enqueue: async (count) =>
      await post('batch', { jobs: Array.from({ length: count }, () => ({ queue, kind: 'drill' })) }),
    async claim(limit) {
      const claim = { claim_id: randomUUID(), queues: [queue], limit, worker: 'drill' };
      return (await post<{ data: Claimed[] }>('claim', claim)).data;
    },
    settle: async (jobs, outcome) =>
      await post('settle', { items: jobs.map(({ lease_token }) => ({ lease_token, ...outcome })) }),
  };
}

/** A worker holds a job, and another job waits, so that the metrics of jobs have values. Resolves with the function that completes both. */
export async function holdJobs(world: World): Promise<() => Promise<void>> {
  const queue = 'calm';
  const { enqueue, claim, settle } = await startWorker(world, queue);
  await enqueue(2);
  const held = await claim(1);
  for (const metric of ['jobs_oldest_queued_seconds', 'jobs_reaped_total']) await untilScraped(world, metric, queue);
  return async () => {
    await settle([...held, ...(await claim(1))], { complete: {} });
  };
}

/** Waits until Prometheus has a value of a metric of a queue. The increase of a counter that it does not know yet would be missed. */
export async function untilScraped({ ports }: World, metric: string, queue: string): Promise<void> {
  const query = new URLSearchParams({ query: `${metric}{queue="${queue}"}` }).toString();
  await until(async () => {
    const response = await fetch(`http://127.0.0.1:${ports.prometheus}/api/v1/query?${query}`);
    const { data } = (await response.json()) as { data?: { result: unknown[] } };
    return data !== undefined && data.result.length > 0;
  });
}
