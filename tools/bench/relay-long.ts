import pg from 'pg';
import { against, perSecond, printFigures } from './figures.ts';
import { watchMemory } from './memory.ts';
import { drainByRelay, fillOutbox, rateOf, type OutboxBench, type Progress } from './outbox-bench.ts';
import { drainPlainly } from './plain-loop.ts';
import { eventsPerAggregate, measureCeiling } from './relay.ts';

const million = 1_000_000;
/** The number of events at the beginning or end of a long drain whose rate is compared with the whole. */
const stretch = 100_000;
/** The backlog of the plain loop while a snapshot is held; the loop slows down with each batch, and would need half an hour for a million rows. */
const plainLoopBacklog = 200_000;
const plainLoopStretch = 20_000;

/** Drains a backlog of a million rows to the end. */
export async function measureBacklog(bench: OutboxBench): Promise<void> {
  console.log(`\nrelay, backlog of ${million.toLocaleString('en-US')} rows`);
  // removes rows that an earlier measurement left in the table
  await bench.db.query('TRUNCATE outbox');
  const before = await measureCeiling(bench);
  const memory = watchMemory();
  const progress = await drainMillion(bench, memory);
  const ceiling = (before + (await measureCeiling(bench))) / 2;
  const first = rateOf(progress, 0, stretch);
  printFigures('relay, backlog of a million rows', [
    { what: 'ceiling: bare amqplib, mean of before and after', value: perSecond(ceiling, 'events') },
    { what: 'all of it', ...against(ceiling, rateOf(progress)) },
    { what: 'the first 100,000', ...against(ceiling, first) },
    { what: 'the last 100,000', ...against(ceiling, rateOf(progress, million - stretch)) },
    ...memory.figures(),
  ]);
}

/**
 * Does the same while another connection holds a snapshot that is older than all deletions: until the snapshot is released, no deleted row can be
 * removed from the table or its indexes. The result is compared with the plain loop, which scans all deleted rows for each batch.
 */
export async function measureSnapshot(bench: OutboxBench): Promise<void> {
  const { servers, db, queue } = bench;
  console.log(`\nrelay, a snapshot held through ${million.toLocaleString('en-US')} events`);
  await db.query('TRUNCATE outbox');
  await fillOutbox(db, 2 * stretch, eventsPerAggregate);
  const plain = rateOf(await drainByRelay(bench));
  await queue.arrived(2 * stretch);
  await db.query('TRUNCATE outbox');
  const ceiling = await measureCeiling(bench);
  const holder = await holdSnapshot(servers.databaseUrl);
  const memory = watchMemory();
  const progress = await drainMillion(bench, memory);
  const last = rateOf(progress, million - stretch);

  console.log(`  the plain loop drains ${plainLoopBacklog.toLocaleString('en-US')}`);
  // in a new file, which does not contain the million rows
  await db.query('TRUNCATE outbox');
  await fillOutbox(db, plainLoopBacklog, eventsPerAggregate);
  const plainLoop = await drainPlainly(servers);
  await queue.arrived(plainLoopBacklog);
  await holder.end();
  const loopFirst = rateOf(plainLoop, 0, plainLoopStretch);
  const loopLast = rateOf(plainLoop, plainLoopBacklog - plainLoopStretch);
  printFigures('relay, a snapshot held through a million drained events', [
    { what: 'ceiling: bare amqplib', value: perSecond(ceiling, 'events') },
    { what: 'without a snapshot, 200,000', ...against(ceiling, plain) },
    { what: 'with it: all of the million', ...against(ceiling, rateOf(progress)) },
    { what: 'with it: the last 100,000', ...against(ceiling, last) },
    { what: '  of what it is without a snapshot', value: (last / plain).toFixed(2) },
    { what: `plain loop with it: the first 20,000 of 200,000`, ...against(ceiling, loopFirst) },
    { what: `plain loop with it: the last 20,000 of 200,000`, ...against(ceiling, loopLast) },
    { what: '  of what the first were', value: (loopLast / loopFirst).toFixed(2) },
    ...memory.figures(),
  ]);
}

async function drainMillion(bench: OutboxBench, memory: ReturnType<typeof watchMemory>): Promise<Progress> {
  console.log('  filling the outbox');
  await fillOutbox(bench.db, million, eventsPerAggregate);
  console.log('  draining it');
  const progress = await memory.during(async () => await drainByRelay(bench));
  await bench.queue.arrived(million);
  return progress;
}

async function holdSnapshot(databaseUrl: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  // the first statement takes the snapshot, whatever it reads
  await client.query('SELECT 1');
  return client;
}
