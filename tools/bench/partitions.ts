import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { inboxMigrations } from '@taskwire/inbox';
import { outboxMigrations } from '@taskwire/outbox';
import { partitionMigrations } from '@taskwire/partitions';
import { migrate } from '@taskwire/postgres';
import { inheritedEnv } from '@taskwire/process-supervisor';
import { openEventQueueAdmin } from '@taskwire/rabbit';
import { benchTelemetry } from './bench-telemetry.ts';
import { cpuTimeBetween, readCpuTimes } from './cpu-time.ts';
import { median, perSecond, printFigures, type Figure } from './figures.ts';
import { startBenchServers, type BenchServers } from './servers.ts';

const counts = [1, 2, 4];
const rounds = 2;
/** Enough to keep one relay busy for several seconds. */
const events = 24_000;
/** A task's events over its life. */
const eventsPerAggregate = 6;
/** After this share of the events, the broker restarts. */
const restartAfter = events / 3;
const pollMs = 50;

type Role = 'relay' | 'consume';
type Run = { rate: number; microseconds: Map<string, number> };
type Outage = { handledPerSecond: number; silentMs: number };

/**
 * Measures the events per second that relays drain from a backlog and that consumers handle, with one process for each partition, and the CPU time
 * per event; then measures both together while the broker restarts. Each run fails unless every event was handled once, in the order of its
 * aggregate.
 */
export async function measurePartitions(): Promise<void> {
  const total = events.toLocaleString('en-US');
  console.log(
    `partitions: ${rounds} × ${total} events, a process for each partition, quorum queues, synchronous commits`,
  );
  const bench = await openBench();
  const runs = new Map(counts.map((count) => [count, { relay: [] as Run[], consume: [] as Run[] }]));
  try {
    for (let round = 0; round < rounds; round++) {
      for (const [count, results] of runs) {
        await bench.prepare(count);
        results.relay.push(await bench.measure('relay', count, async () => await bench.outboxIsEmpty()));
        results.consume.push(await bench.measure('consume', count, async () => (await bench.handled()) === events));
        await bench.verify();
        const [relay, consume] = [results.relay, results.consume].map((all) =>
          perSecond(all.at(-1)?.rate ?? 0, 'events'),
        );
        console.log(`  round ${round + 1}, ${count} of each: relays ${relay}, consumers ${consume}`);
      }
    }
    for (const [count, { relay, consume }] of runs) {
      printFigures(`${count} ${count === 1 ? 'partition' : 'partitions'} (median of the rounds)`, [
        ...figuresOf('relays', relay),
        ...figuresOf('consumers', consume),
      ]);
    }
    for (const count of counts) {
      await bench.prepare(count);
      const { handledPerSecond, silentMs } = await bench.restartUnderLoad(count);
      await bench.verify();
      printFigures(`${count} of each, together, while the broker restarts`, [
        { what: 'events, from the first to the last', value: perSecond(handledPerSecond, 'events') },
        { what: 'longest time without an effect', value: `${(silentMs / 1000).toFixed(1)} s` },
      ]);
    }
  } finally {
    await bench.stop();
  }
}

function figuresOf(what: string, runs: readonly Run[]): Figure[] {
  const parts = new Set(runs.flatMap(({ microseconds }) => [...microseconds.keys()]));
  return [
    { what, value: perSecond(median(runs.map(({ rate }) => rate)), 'events') },
    ...[...parts].map((part): Figure => {
      const value = median(runs.map(({ microseconds }) => microseconds.get(part) ?? 0));
      return { what: `${what}, CPU of an event: ${part}`, value: `${Math.round(value)} µs` };
    }),
  ];
}

async function openBench() {
  const servers = await startBenchServers();
  await migrate(servers.databaseUrl, [outboxMigrations, inboxMigrations, partitionMigrations]);
  const db = new pg.Pool({ connectionString: servers.databaseUrl, max: 2 });
  await db.query(
    'CREATE TABLE partition_effects (place bigserial PRIMARY KEY, aggregate_id text NOT NULL, n integer NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())',
  );
  const handled = async (): Promise<number> =>
    Number((await db.query<{ n: string }>('SELECT count(*) AS n FROM partition_effects')).rows[0]?.n);
  const outboxIsEmpty = async (): Promise<boolean> => (await db.query('SELECT FROM outbox LIMIT 1')).rowCount === 0;

  return {
    handled,
    outboxIsEmpty,
    /** Declares the queues of this number of partitions, and fills the outbox. */
    async prepare(count: number): Promise<void> {
      await declareQueues(servers, count);
      await db.query('UPDATE event_partitions SET count = $1', [count]);
      await db.query('TRUNCATE partition_effects, inbox, outbox');
      await db.query(
        `INSERT INTO outbox (type, aggregate_id, payload, headers)
         SELECT 'tasks.task.changed', md5((n % ($1 / $2))::text)::uuid,
           json_build_object('n', n / ($1 / $2), 'filler', repeat('x', 150)), '{"correlation_id":"bench"}'
         FROM generate_series(0, $1::integer - 1) n ORDER BY n`,
        [events, eventsPerAggregate],
      );
      await db.query('VACUUM ANALYZE outbox, inbox');
    },
    async measure(role: Role, count: number, isDone: () => Promise<boolean>): Promise<Run> {
      const workers = await startWorkers(servers, role, count);
      const roots = servers.processes();
      workers.forEach((worker, index) => roots.set(`${role} ${index}`, worker.pid ?? 0));
      const before = readCpuTimes(roots);
      const start = performance.now();
      for (const worker of workers) worker.send('go');
      while (!(await isDone())) await delay(pollMs);
      const seconds = (performance.now() - start) / 1000;
      const used = new Map<string, number>();
      for (const [part, ms] of cpuTimeBetween(before, readCpuTimes(roots))) {
        const name = part.startsWith(role) ? 'Node' : part.startsWith('PostgreSQL') ? 'PostgreSQL' : part;
        used.set(name, (used.get(name) ?? 0) + (ms * 1000) / events);
      }
      await stopWorkers(workers);
      return { rate: events / seconds, microseconds: used };
    },
    async restartUnderLoad(count: number): Promise<Outage> {
      const workers = [
        ...(await startWorkers(servers, 'consume', count)),
        ...(await startWorkers(servers, 'relay', count)),
      ];
      const start = performance.now();
      for (const worker of workers) worker.send('go');
      while ((await handled()) < restartAfter) await delay(pollMs);
      await servers.restartBroker();
      while ((await handled()) < events) await delay(pollMs);
      const seconds = (performance.now() - start) / 1000;
      await stopWorkers(workers);
      const { rows } = await db.query<{ ms: number }>(
        `SELECT extract(epoch FROM max(pause)) * 1000 AS ms
         FROM (SELECT at - lag(at) OVER (ORDER BY at) AS pause FROM partition_effects) pauses`,
      );
      return { handledPerSecond: events / seconds, silentMs: Number(rows[0]?.ms) };
    },
    /** @throws unless every event was handled once, in the order of its aggregate. */
    async verify(): Promise<void> {
      const { rows } = await db.query<{ effects: number; wrong: number }>(
        `SELECT count(*)::int AS effects, count(*) FILTER (WHERE n <> expected)::int AS wrong
         FROM (SELECT n, row_number() OVER (PARTITION BY aggregate_id ORDER BY place) - 1 AS expected
               FROM partition_effects) numbered`,
      );
      const [found] = rows;
      if (found?.effects !== events || found.wrong !== 0)
        throw new Error(`${found?.effects} effects for ${events} events, ${found?.wrong} of them in a wrong place`);
    },
    async stop(): Promise<void> {
      await db.end();
      await servers.stop();
    },
  };
}

async function declareQueues({ amqpUrl: url }: BenchServers, count: number): Promise<void> {
  const telemetry = benchTelemetry();
  const services = [{ service: 'bench', bindings: ['tasks.#'] }];
  const admin = await openEventQueueAdmin({ url, services, telemetry });
  await admin.replace(count);
  await admin.close();
}

/** Starts one process for each partition, and waits until all are connected and idle. */
async function startWorkers(
  { databaseUrl, amqpUrl }: BenchServers,
  role: Role,
  count: number,
): Promise<ChildProcess[]> {
  const script = fileURLToPath(new URL('partition-process.ts', import.meta.url));
  return await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const worker = fork(script, [role, databaseUrl, amqpUrl, String(count), String(index)], { env: inheritedEnv() });
      await once(worker, 'message');
      return worker;
    }),
  );
}

async function stopWorkers(workers: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    workers.map(async (worker) => {
      const exited = once(worker, 'exit');
      worker.kill();
      await exited;
    }),
  );
}
