import { randomUUIDv7 } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import amqp from 'amqplib';
import { query } from '@taskwire/postgres';
import { benchEvent, benchPayload, connected, createBenchInbox, createMessagingBench } from './messaging.ts';
import { publishEvent } from './bare-publish.ts';
import { bareTogether, eachAlone, manyTogether } from './bare-consume.ts';
import { against, median, printFigures } from './figures.ts';
import { watchMemory } from './memory.ts';
import { consumeByPeer, peerName } from './peer.ts';
import { startBenchServers, type BenchServers } from './servers.ts';

/** The peer handles a few hundred messages a second. */
const fullSize = { rounds: 3, events: 20_000, peerEvents: 2_000 };
/** A round that has not handled all its events after this time has lost some. */
const patienceMs = 60_000;

/** Measures the rate of events through the inbox with a one-row effect, compared with bare consumers that run the effect and acknowledge. */
export async function measureConsume({ rounds, events, peerEvents } = fullSize): Promise<void> {
  console.log(`consume: ${rounds} × ${events.toLocaleString('en-US')} events, quorum queue, synchronous commits`);
  const servers = await startBenchServers();
  const bench = await createMessagingBench(servers);
  const { db, rabbit } = bench;
  // declares the queue
  rabbit.publisher();
  await rabbit.start();
  await connected(rabbit);
  const consumeWithInbox: Consume = async (onEach) => {
    const inbox = createBenchInbox(bench, onEach);
    await inbox.start();
    return async () => await inbox.stop();
  };
  const rates: Record<'alone' | 'together' | 'inbox', number[]> = { alone: [], together: [], inbox: [] };
  const memory = watchMemory();
  try {
    for (let round = 0; round < rounds; round++) {
      await fill(servers, events);
      rates.alone.push(await measure(events, async (onEach) => await eachAlone(servers, db.pool, onEach)));
      await fill(servers, events);
      rates.together.push(await measure(events, async (onEach) => await manyTogether(servers, db.pool, onEach)));
      await fill(servers, events);
      rates.inbox.push(await memory.during(async () => await measure(events, consumeWithInbox)));
    }
    const [stored] = await query<{ rows: number }>(db.pool, 'SELECT count(*)::int AS rows FROM effects');
    if (stored?.rows !== 3 * rounds * events)
      throw new Error(`${stored?.rows} effects for ${3 * rounds * events} events`);
    const peer = await consumeByPeer(servers, peerEvents);
    // which of the two is faster depends on the cost of a commit on this machine
    const ceiling = Math.max(median(rates.alone), median(rates.together));
    printFigures('consume (median of the rounds)', [
      { what: 'bare amqplib consumer, a transaction for each effect', ...against(ceiling, median(rates.alone)) },
      { what: `bare amqplib consumer, one for ${bareTogether} effects`, ...against(ceiling, median(rates.together)) },
      { what: `${peerName} (${peerEvents} events, once, without a queue)`, ...against(ceiling, peer) },
      { what: 'inbox with the effect', ...against(ceiling, median(rates.inbox)) },
      ...memory.figures(),
    ]);
  } finally {
    await bench.stop();
    await servers.stop();
  }
}

/** Starts a consumer that calls `onEach` for each message, and returns a function that stops the consumer. */
type Consume = (onEach: () => void) => Promise<() => Promise<void>>;

/** Messages per second, from the first to the last. */
async function measure(events: number, start: Consume): Promise<number> {
  let count = 0;
  let first = 0;
  const all = Promise.withResolvers<number>();
  const stop = await start(() => {
    count += 1;
    if (count === 1) first = performance.now();
    if (count === events) all.resolve(performance.now());
  });
  const tooLate = setTimeout(() => {
    all.reject(new Error(`${events - count} of ${events} events were not handled within ${patienceMs / 1000} s`));
  }, patienceMs);
  const rate = (events / ((await all.promise) - first)) * 1000;
  clearTimeout(tooLate);
  // leaves time for the last effects to commit and the last acknowledgements to be sent
  await delay(500);
  await stop();
  return rate;
}

async function fill({ amqpUrl }: BenchServers, events: number): Promise<void> {
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
