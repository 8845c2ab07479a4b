import pg from 'pg';
import { createRelay, outboxMigrations } from '@taskwire/outbox';
import { migrate } from '@taskwire/postgres';
import { createRabbit, publishOnlyTopology } from '@taskwire/rabbit';
import type { Telemetry } from '@taskwire/telemetry';
import { benchTelemetry } from './bench-telemetry.ts';
import { benchSender } from './messaging.ts';
import { samplePayload } from './bare-publish.ts';
import { createEventQueue, type EventQueue } from './event-queue.ts';
import { connected } from './messaging.ts';
import { startBenchServers, type BenchServers } from './servers.ts';

/** A database with an outbox, and the queue for its events. */
export type OutboxBench = { servers: BenchServers; db: pg.Pool; queue: EventQueue; stop(): Promise<void> };

/** The number of events drained at each time (monotonic, in milliseconds). */
export type Progress = readonly { rows: number; atMs: number }[];

const sampleEveryMs = 50;

export async function createOutboxBench(): Promise<OutboxBench> {
  const servers = await startBenchServers();
  await migrate(servers.databaseUrl, [outboxMigrations]);
  // a separate pool, since filling and counting millions of rows takes longer than a service's statement timeout allows
  const db = new pg.Pool({ connectionString: servers.databaseUrl, max: 2 });
  const queue = await createEventQueue(servers);
  return {
    ...{ servers, db, queue },
    async stop() {
      await queue.close();
      await db.end();
      await servers.stop();
    },
  };
}

/** Creates a backlog that was committed some time ago; neighbouring rows form an aggregate. */
export async function fillOutbox(db: pg.Pool, rows: number, eventsPerAggregate: number): Promise<void> {
  await db.query(
    `INSERT INTO outbox (type, aggregate_id, payload, headers)
     SELECT 'tasks.task.assigned', md5((n / $2)::text)::uuid, $3::json, '{"correlation_id":"bench"}'::json
     FROM generate_series(0, $1::integer - 1) n`,
    [rows, eventsPerAggregate, samplePayload()],
  );
  await db.query('VACUUM ANALYZE outbox');
}

/** Runs a relay until the outbox is empty. */
export async function drainByRelay({ db, servers }: OutboxBench): Promise<Progress> {
  const telemetry = benchTelemetry();
  const rabbit = createRabbit({ url: servers.amqpUrl, name: 'bench', telemetry, topology: publishOnlyTopology });
  const { databaseUrl } = servers;
  const relay = createRelay({ databaseUrl, publisher: rabbit.publisher(), telemetry, appId: benchSender });
  await rabbit.start();
  // not part of the measured time, since a running service is already connected
  await connected(rabbit);
  const progress = [{ rows: 0, atMs: performance.now() }];
  const sample = async (): Promise<void> => {
    const rows = await published(telemetry);
    progress.push({ rows, atMs: performance.now() });
  };
  const timer = setInterval(() => void sample(), sampleEveryMs);
  while (!relay.isLeader() || relay.stats().rows > 0) await relay.tick();
  clearInterval(timer);
  await sample();
  const left = await db.query('SELECT FROM outbox');
  if (left.rowCount !== 0) throw new Error(`${left.rowCount} rows are left in the outbox`);
  await relay.stop();
  await rabbit.stop();
  return progress;
}

/** Events per second between two counts of drained events, as precisely as the samples allow. */
export function rateOf(progress: Progress, fromRows = 0, toRows = Infinity): number {
  const from = progress.findLast(({ rows }) => rows <= fromRows);
  const to = progress.find(({ rows }) => rows >= toRows) ?? progress.at(-1);
  if (from === undefined || to === undefined) throw new Error('nothing was sampled');
  return ((to.rows - from.rows) / (to.atMs - from.atMs)) * 1000;
}

async function published({ metrics }: Telemetry): Promise<number> {
  const metric = await metrics.getSingleMetric('outbox_published_total')?.get();
  return metric?.values[0]?.value ?? 0;
}
