import { randomUUIDv7 } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import amqp from 'amqplib';
import { query } from '@taskwire/postgres';
import {
  benchEvent,
  benchPayload,
  benchQueue,
  connected,
  createBenchInbox,
  createMessagingBench,
} from './messaging.ts';
import { publishEvent } from './bare-publish.ts';
import { median, perSecond, printFigures } from './figures.ts';
import { watchMemory } from './memory.ts';
import { consumeByPeer, peerName } from './peer.ts';
import { startBenchServers, type BenchServers } from './servers.ts';

const events = 20_000;
const rounds = 3;
/** Messages under way at a time, in the bare consumer. */
const prefetch = 100;
/** At some hundreds a second. */
const peerEvents = 2_000;

/**
 * Events through inbox and a one-row effect, against a bare consumer that runs the effect alone and then acks: no memory of what it has seen,
 * no validation, no order, no retries.
 */
export async function measureConsume(): Promise<void> {
  console.log(`consume: ${rounds} × ${events.toLocaleString('en-US')} events, quorum queue, synchronous commits`);
  const servers = await startBenchServers();
  const bench = await createMessagingBench(servers);
  const { db, rabbit } = bench;
  // declares the queue
  rabbit.publisher();
  await rabbit.start();
  await connected(rabbit);
  const rates: Record<'bare' | 'inbox', number[]> = { bare: [], inbox: [] };
  const memory = watchMemory();
  try {
    for (let round = 0; round < rounds; round++) {
      await fill(servers);
      rates.bare.push(await measure(async (onEach) => await consumeBare(servers, bench.db, onEach)));
      await fill(servers);
      const consumeWithInbox = async (onEach: () => void): Promise<() => Promise<void>> => {
        const inbox = createBenchInbox(bench, onEach);
        await inbox.start();
        return async () => await inbox.stop();
      };
      rates.inbox.push(await memory.during(async () => await measure(consumeWithInbox)));
    }
    const [stored] = await query<{ rows: number }>(db.pool, 'SELECT count(*)::int AS rows FROM effects');
    if (stored?.rows !== 2 * rounds * events)
      throw new Error(`${stored?.rows} effects for ${2 * rounds * events} events`);
    const peer = await consumeByPeer(servers, peerEvents);
    const ceiling = median(rates.bare);
    printFigures('consume (median of the rounds)', [
      { what: `ceiling: bare amqplib consumer, the effect alone`, value: perSecond(ceiling, 'events') },
      {
        what: `${peerName} (${peerEvents} events, once, without a queue)`,
        value: perSecond(peer, 'events'),
        ratio: peer / ceiling,
      },
      {
        what: 'inbox with the effect',
        value: perSecond(median(rates.inbox), 'events'),
        ratio: median(rates.inbox) / ceiling,
      },
      ...memory.figures(),
    ]);
  } finally {
    await bench.stop();
    await servers.stop();
  }
}

/** Time from the first event to the last. */
async function measure(start: (onEach: () => void) => Promise<() => Promise<void>>): Promise<number> {
  let count = 0;
  let first = 0;
  const all = Promise.withResolvers<number>();
  const stop = await start(() => {
    count += 1;
    if (count === 1) first = performance.now();
    if (count === events) all.resolve(performance.now());
  });
  const rate = (events / ((await all.promise) - first)) * 1000;
  // the last effects commit, the last acks leave
  await delay(500);
  await stop();
  return rate;
}

async function consumeBare(
  { amqpUrl }: BenchServers,
  db: Parameters<typeof createBenchInbox>[0]['db'],
  onEach: () => void,
): Promise<() => Promise<void>> {
  const connection = await amqp.connect(amqpUrl, { noDelay: true });
  const channel = await connection.createChannel();
  await channel.prefetch(prefetch);
  await channel.consume(benchQueue, (message) => {
    if (message === null) return;
    onEach();
    void query(db.pool, { name: 'bare effect', text: 'INSERT INTO effects (id) VALUES (gen_random_uuid())' }).then(() =>
      channel.ack(message),
    );
  });
  return async () => await connection.close();
}

async function fill({ amqpUrl }: BenchServers): Promise<void> {
  const connection = await amqp.connect(amqpUrl, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  for (let i = 0; i < events; i++) {
    const body = Buffer.from(JSON.stringify(benchPayload()));
    publishEvent(channel, { messageId: randomUUIDv7(), type: benchEvent, aggregateId: randomUUIDv7(), body });
    if (i % 500 === 499) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
  await connection.close();
}
