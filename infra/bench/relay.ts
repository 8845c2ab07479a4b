import { randomUUID } from 'node:crypto';
import { PassThrough } from 'node:stream';
import amqp from 'amqplib';
import { eventExchange } from '@taskwire/contracts';
import { createRelay, outboxMigrations } from '@taskwire/outbox';
import { createDatabase, migrate, query, type Database } from '@taskwire/postgres';
import { createRabbit, publishOnlyTopology } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';
import { median, perSecond, printFigures } from './figures.ts';
import { startBenchServers, type BenchServers } from './servers.ts';

/** Long enough for a second or more of draining, short enough to be repeated. */
const backlog = 50_000;
/** Ceiling and relay take turns, so that a machine that slows down or speeds up does so for both. */
const rounds = 3;
/** Bare publishes in batches, each followed by one wait for all its confirms, as most programs do it. */
const bareBatch = 500;
/** Bare publishes with as many in flight as the relay has, which is the most that this client and broker can do. */
const bareInFlight = 2_000;
/** Events of one aggregate in a backlog: a new task that is assigned at once makes three, which must go one after the other. */
const eventsPerAggregate = 3;

const queue = 'bench.events';

/**
 * Events drained from a backlog, durable, confirmed and in order of their aggregate, against bare amqplib publishes with confirms of the same
 * messages to the same queue.
 */
export async function measureRelay(): Promise<void> {
  console.log(`relay: ${rounds} × ${backlog.toLocaleString('en-US')} events, quorum queue, synchronous commits`);
  const servers = await startBenchServers();
  const telemetry = createTelemetry({ service: 'bench', level: 'error', stream: new PassThrough().resume() });
  await migrate(servers.databaseUrl, [outboxMigrations]);
  const db = await createDatabase({ url: servers.databaseUrl, poolSize: 4, applicationName: 'bench', telemetry });
  const operator = await amqp.connect(servers.amqpUrl);
  try {
    const channel = await operator.createChannel();
    await channel.assertExchange(eventExchange, 'topic', { durable: true });
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    await channel.bindQueue(queue, eventExchange, '#');

    const bare: Record<'batches' | 'pipelined', number[]> = { batches: [], pipelined: [] };
    const relayed: Record<'distinct' | 'three', number[]> = { distinct: [], three: [] };
    for (let round = 0; round < rounds; round++) {
      bare.batches.push(await drainBare(servers, inBatches));
      await requireDelivered(servers, channel);
      bare.pipelined.push(await drainBare(servers, pipelined));
      await requireDelivered(servers, channel);
      for (const [kind, events] of [
        ['distinct', 1],
        ['three', eventsPerAggregate],
      ] as const) {
        await fill(db, events);
        relayed[kind].push(await drainRelay(db, servers));
        await requireDelivered(servers, channel);
      }
    }
    const ceiling = median(bare.pipelined);
    printFigures('relay (median of the rounds)', [
      { what: `ceiling: bare amqplib, ${bareInFlight} confirms in flight`, value: perSecond(ceiling, 'events') },
      { what: `bare amqplib, batches of ${bareBatch}`, ...against(ceiling, median(bare.batches)) },
      { what: 'relay, one event for each aggregate', ...against(ceiling, median(relayed.distinct)) },
      { what: `relay, ${eventsPerAggregate} events for each aggregate`, ...against(ceiling, median(relayed.three)) },
    ]);
  } finally {
    await operator.close();
    await db.close();
    await servers.stop();
  }
}

function against(ceiling: number, rate: number): { value: string; ratio: number } {
  return { value: perSecond(rate, 'events'), ratio: rate / ceiling };
}

function samplePayload(): string {
  return JSON.stringify({
    task_uuid: randomUUID(),
    timestamp: '2026-01-01T00:00:00.000000Z',
    actor: randomUUID(),
    assigned_to: randomUUID(),
  });
}

async function drainBare({ amqpUrl }: BenchServers, publishAll: PublishAll): Promise<number> {
  const connection = await amqp.connect(amqpUrl, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  const body = Buffer.from(samplePayload());
  const start = performance.now();
  await publishAll(channel, (onConfirm) => {
    const properties = {
      persistent: true,
      mandatory: true,
      messageId: randomUUID(),
      type: 'tasks.task.assigned',
      contentType: 'application/json',
      appId: 'bench',
      timestamp: 1,
      headers: { schema_version: 1, aggregate_id: 'x' },
    };
    channel.publish(eventExchange, 'tasks.task.assigned', body, properties, onConfirm);
  });
  const rate = (backlog / (performance.now() - start)) * 1000;
  await connection.close();
  return rate;
}

type PublishAll = (channel: amqp.ConfirmChannel, publishOne: (onConfirm?: () => void) => void) => Promise<void>;

const inBatches: PublishAll = async (channel, publishOne) => {
  for (let sent = 0; sent < backlog; sent += bareBatch) {
    for (let i = 0; i < bareBatch; i++) publishOne();
    await channel.waitForConfirms();
  }
};

const pipelined: PublishAll = async (_channel, publishOne) => {
  await new Promise<void>((resolve) => {
    let sent = 0;
    let confirmed = 0;
    const onConfirm = (): void => {
      confirmed += 1;
      if (confirmed === backlog) resolve();
      else if (sent < backlog) send();
    };
    const send = (): void => {
      sent += 1;
      publishOne(onConfirm);
    };
    while (sent < bareInFlight) send();
  });
};

async function fill(db: Database, events: number): Promise<void> {
  await query(
    db.pool,
    `INSERT INTO outbox (type, aggregate_id, payload, headers)
     SELECT 'tasks.task.assigned', md5((n / $2)::text)::uuid, $3::json, '{"correlation_id":"bench"}'::json FROM generate_series(0, $1 - 1) n`,
    [backlog, events, samplePayload()],
  );
  await query(db.pool, 'VACUUM ANALYZE outbox');
}

async function drainRelay(db: Database, { amqpUrl, databaseUrl }: BenchServers): Promise<number> {
  const telemetry = createTelemetry({ service: 'bench', level: 'error', stream: new PassThrough().resume() });
  const rabbit = createRabbit({ url: amqpUrl, name: 'bench', telemetry, topology: publishOnlyTopology });
  const relay = createRelay({ databaseUrl, publisher: rabbit.publisher(), telemetry, appId: 'bench' });
  await rabbit.start();
  // connects and takes the lock outside of the measured time, as a running service has
  while ((await rabbit.ping().catch(() => 'down')) === 'down') await new Promise((resolve) => setTimeout(resolve, 20));
  const start = performance.now();
  while (!relay.owner() || relay.stats().rows > 0) await relay.tick();
  const [left] = await query<{ rows: number }>(db.pool, 'SELECT count(*)::int AS rows FROM outbox');
  if (left?.rows !== 0) throw new Error(`${left?.rows} rows are left in the outbox`);
  const rate = (backlog / (performance.now() - start)) * 1000;
  await relay.stop();
  await rabbit.stop();
  return rate;
}

/** A figure counts only if the broker has every event. */
async function requireDelivered({ vhost }: BenchServers, channel: amqp.Channel): Promise<void> {
  const { messageCount } = await channel.purgeQueue(queue);
  if (messageCount !== backlog) throw new Error(`${vhost}: ${messageCount} of ${backlog} events arrived`);
}
