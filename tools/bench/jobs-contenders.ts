import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createDatabase } from '@taskwire/postgres';
import { Logger, run, makeWorkerUtils, type WorkerUtils } from 'graphile-worker';
import pg from 'pg';
import { PgBoss } from 'pg-boss';
import { createJobStore } from '../../services/tasks/src/postgres/jobs/job-store.ts';
import { benchTelemetry } from './bench-telemetry.ts';
import { queue, type JobsWorld } from './jobs-world.ts';

/** A job system under measurement. */
export type Contender = {
  name: string;
  enqueue(count: number): Promise<void>;
  /** Enqueues one job. */
  enqueueOne(): Promise<void>;
  /** Claims and settles until `count` jobs are done. */
  drain(count: number): Promise<void>;
  /**
   * Waits until the events of all jobs are published, if there are any. Reads the dead rows of the outbox again and again while a snapshot is held, so it
   * is not for measurements with one.
   */
  untilPublished?(): Promise<void>;
  stop(): Promise<void>;
};

/** Jobs per statement. */
const batch = 1_000;
/** Jobs per claim and per settlement, and the number of workers that claim concurrently. */
const claimed = 100;
const workers = 6;
const senders = 4;
/** The time between two looks at the outbox, in milliseconds. A round takes more than a second. */
const pollMs = 10;
const payload = { user: 7, report: 'monthly' };

/** Calls `work` until it has handled `count` items, from several loops. `work` returns how many it handled. */
async function inLoops(loops: number, count: number, work: () => Promise<number>): Promise<void> {
  let done = 0;
  await Promise.all(
    Array.from({ length: loops }, async () => {
      while (done < count) {
        const handled = await work();
        done += handled;
      }
    }),
  );
  if (done !== count) throw new Error(`${done} instead of ${count} jobs were handled`);
}

/** Waits for the relay. Otherwise a faster contender would leave its events, and the CPU time that they cost, to the next one. */
async function untilPublished({ pool }: JobsWorld): Promise<void> {
  while ((await pool.query('SELECT FROM outbox LIMIT 1')).rowCount !== 0) await delay(pollMs);
}

async function inBatches(count: number, send: (size: number) => Promise<unknown>): Promise<void> {
  let left = Math.ceil(count / batch);
  await Promise.all(
    Array.from({ length: senders }, async () => {
      while (left-- > 0) await send(batch);
    }),
  );
}

/** Tasks, over HTTP. `key`: the concurrency key of a job, if it has one. */
export function tasksContender(world: JobsWorld, key: (n: number) => string | undefined = () => undefined): Contender {
  let n = 0;
  const job = () => ({ queue, kind: 'render', payload, ...withKey(key(n++)) });
  return {
    name: 'Tasks over HTTP',
    enqueue: async (count) =>
      await inBatches(
        count,
        async (size) => await world.post('/api/v1/jobs/batch', { jobs: Array.from({ length: size }, job) }),
      ),
    enqueueOne: async () => void (await world.post('/api/v1/jobs', job())),
    async drain(count) {
      await inLoops(workers, count, async () => {
        const claim = { claim_id: randomUUID(), queues: [queue], limit: claimed, worker: 'bench' };
        const { data } = await world.post<{ data: { lease_token: string }[] }>('/api/v1/jobs/claim', claim);
        if (data.length === 0) return 0;
        const items = data.map(({ lease_token }) => ({ lease_token, complete: { result: { rows: 3 } } }));
        await world.post('/api/v1/jobs/settle', { items });
        return data.length;
      });
    },
    untilPublished: async () => await untilPublished(world),
    stop: async () => undefined,
  };
}

function withKey(key: string | undefined) {
  return key === undefined ? {} : { concurrency_key: key };
}

/** The statements of Tasks, from this process: no HTTP, no token, no validation, no logs. */
export async function sqlContender(world: JobsWorld): Promise<Contender> {
  const telemetry = benchTelemetry();
  const url = world.suite.databaseUrl('tasks');
  const db = await createDatabase({ url, poolSize: 10, applicationName: 'bench', telemetry });
  const hints = {
    queued: () => undefined,
    scheduled: () => undefined,
    freed: () => undefined,
    expired: () => undefined,
  };
  const once = () => Promise.reject(new Error('there are no idempotency keys here'));
  const store = createJobStore(db, { once }, hints);
  const text = JSON.stringify(payload);
  const plain = {
    runAt: null,
    priority: 0,
    maxAttempts: 20,
    deadline: null,
    unique: null,
    concurrencyKey: null,
    after: [],
    senderQueues: null,
    createdBy: 'bench',
  };
  const job = { queue, kind: 'render', payload: text, ...plain };
  const render = () => '' as never;
  const enqueue = async (size: number) =>
    await store.enqueue({ jobs: Array.from({ length: size }, () => job), request: undefined }, render);
  return {
    name: 'the same SQL without HTTP',
    enqueue: async (count) => await inBatches(count, enqueue),
    enqueueOne: async () => void (await enqueue(1)),
    async drain(count) {
      await inLoops(workers, count, async () => {
        const claim = { clientId: 'bench', claimId: randomUUID(), queues: [queue], limit: claimed, leaseMs: 30_000 };
        const jobs = await store.claim({ ...claim, worker: 'bench' });
        if (jobs.length === 0) return 0;
        const settlements = jobs.map((json) => {
          const { id, fence } = JSON.parse(json) as { id: string; fence: number };
          return { lease: { id, fence: String(fence) }, ending: { kind: 'completed' }, result: '{"rows":3}' } as const;
        });
        await store.settle(settlements, [queue]);
        return jobs.length;
      });
    },
    untilPublished: async () => await untilPublished(world),
    stop: async () => await db.close(),
  };
}

/** pg-boss, with its batches: one statement fetches, another completes. */
export async function pgBossContender(world: JobsWorld): Promise<Contender> {
  const boss = new PgBoss({ connectionString: world.peerUrl, max: 10 });
  boss.on('error', () => undefined);
  await boss.start();
  await boss.createQueue(queue);
  return {
    name: 'pg-boss 12.38.0',
    enqueue: async (count) =>
      await inBatches(
        count,
        async (size) =>
          await boss.insert(
            queue,
            Array.from({ length: size }, () => ({ data: payload })),
          ),
      ),
    enqueueOne: async () => void (await boss.send(queue, payload)),
    drain: async (count) =>
      await inLoops(workers, count, async () => {
        const jobs = await boss.fetch(queue, { batchSize: claimed });
        if (jobs.length === 0) return 0;
        await boss.complete(
          queue,
          jobs.map(({ id }) => id),
          { rows: 3 },
        );
        return jobs.length;
      }),
    stop: async () => await boss.stop({ graceful: false }),
  };
}

/** graphile-worker with its local queue and batched completions, which are its faster settings. */
export async function graphileContender(world: JobsWorld): Promise<Contender> {
  const pool = new pg.Pool({ connectionString: world.peerUrl, max: 12 });
  // it would write a line for each job
  const logger = new Logger(() => () => undefined);
  // the server closes the connections at the end
  pool.on('error', () => undefined);
  const utils: WorkerUtils = await makeWorkerUtils({ pgPool: pool, logger });
  await utils.migrate();
  let done = 0;
  return {
    name: 'graphile-worker 0.18.0',
    enqueue: async (count) =>
      await inBatches(
        count,
        async (size) => await utils.addJobs(Array.from({ length: size }, () => ({ identifier: 'render', payload }))),
      ),
    enqueueOne: async () => void (await utils.addJob('render', payload)),
    async drain(count) {
      done = 0;
      const { promise, resolve } = Promise.withResolvers<void>();
      const runner = await run({
        pgPool: pool,
        logger,
        concurrency: claimed,
        noHandleSignals: true,
        taskList: { render: () => void (++done === count && resolve()) },
        preset: {
          worker: {
            localQueue: { size: claimed * 5 },
            completeJobBatchDelay: 0,
            failJobBatchDelay: 0,
          },
        },
      });
      await promise;
      // also waits until the last completions are stored
      await runner.stop();
    },
    async stop() {
      await utils.release();
      await pool.end();
    },
  };
}
