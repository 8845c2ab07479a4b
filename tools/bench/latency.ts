import { randomUUIDv7 } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import amqp from 'amqplib';
import { createRelay, createNotifier, insertEvents } from '@taskwire/outbox';
import { publishEvent } from './bare-publish.ts';
import { median, percentile, printFigures, type Figure } from './figures.ts';
import { watchMemory } from './memory.ts';
import {
  benchEvent,
  benchPayload,
  benchQueue,
  benchSender,
  connected,
  createBenchInbox,
  createMessagingBench,
} from './messaging.ts';
import type { MessagingBench } from './messaging.ts';
import { peerName, relayByPeer } from './peer.ts';
import { startBenchServers, type BenchServers } from './servers.ts';

const rate = 500;
/** The peer cannot sustain the full rate; this rate is about a quarter of its maximum. */
const peerRate = 100;
/** Suite and ceiling are measured alternately. */
const fullSize = { rounds: 3, seconds: 10 };
/** Warm-up events, not counted, after which connections, plans and caches are warm. */
const warmUp = 500;
/** An event that has not arrived within this time after the last event was sent is considered lost. */
const patienceMs = 30_000;

/** A route of events with `sent_at` to the receiver that was passed to `OpenRoute`. */
type Route = { send(payload: ReturnType<typeof benchPayload>): void; close(): Promise<void> };
type OpenRoute = (onArrival: (sentAt: number) => void) => Promise<Route>;

/**
 * Measures the time from appending an event, including the commit of its transaction, to the call of its handler: outbox, relay, RabbitMQ, inbox, at
 * a steady rate. The ceiling is the broker alone: the same messages from publish to a bare consumer. Writer, relay and consumer are one process here,
 * with separate connections, so that one clock measures all of them. Separate processes interfere with each other less.
 */
export async function measureLatency({ rounds, seconds } = fullSize): Promise<void> {
  console.log(`latency: ${rounds} × ${seconds} s at ${rate} events/s, quorum queue, synchronous commits`);
  const servers = await startBenchServers();
  const bench = await createMessagingBench(servers);
  const memory = watchMemory();
  const suite: number[][] = [];
  const bare: number[][] = [];
  try {
    bench.rabbit.publisher();
    await bench.rabbit.start();
    for (let round = 0; round < rounds; round++) {
      suite.push(
        await memory.during(async () => await measure(rate, seconds, throughSuite(bench, servers.databaseUrl))),
      );
      bare.push(await measure(rate, seconds, throughBroker(servers)));
    }
    const peer = await measure(peerRate, seconds, throughPeer(servers));
    printFigures('latency (median of the rounds)', [
      ...figuresOf('ceiling: publish → bare amqplib consumer', bare),
      ...figuresOf(`${peerName}: append → bare consumer, at ${peerRate}/s`, [peer]),
      ...figuresOf('append → handler', suite),
      ...memory.figures(),
    ]);
  } finally {
    await bench.stop();
    await servers.stop();
  }
}

function figuresOf(what: string, runs: readonly number[][]): Figure[] {
  const figure = (name: string, of: (samples: number[]) => number): Figure => {
    return { what: `${what}, ${name}`, value: `${median(runs.map(of)).toFixed(1)} ms` };
  };
  return [
    figure('p50', (samples) => percentile(samples, 0.5)),
    figure('p99', (samples) => percentile(samples, 0.99)),
    figure('most', (samples) => Math.max(...samples)),
  ];
}

/** The latency of each event, in milliseconds. */
async function measure(perSecond: number, seconds: number, open: OpenRoute): Promise<number[]> {
  const samples: number[] = [];
  const way = await open((sentAt) => void samples.push(performance.now() - sentAt));
  const total = perSecond * seconds + warmUp;
  const start = performance.now();
  for (let sent = 0; sent < total; sent++) {
    const dueAt = start + (sent * 1000) / perSecond;
    if (dueAt > performance.now()) await delay(dueAt - performance.now());
    // not awaited: a slow event must not lower the rate
    way.send(benchPayload());
  }
  const deadline = performance.now() + patienceMs;
  while (samples.length < total) {
    if (performance.now() > deadline) throw new Error(`${total - samples.length} of ${total} events did not arrive`);
    await delay(10);
  }
  await way.close();
  return samples.slice(warmUp);
}

function throughSuite(bench: MessagingBench, databaseUrl: string): OpenRoute {
  const { db, rabbit, telemetry } = bench;
  return async (onArrival) => {
    const relay = createRelay({ databaseUrl, publisher: rabbit.publisher(), telemetry, appId: benchSender });
    const notifier = createNotifier({ db, relay, logger: telemetry.logger });
    const inbox = createBenchInbox(bench, onArrival);
    await inbox.start();
    await relay.start();
    await connected(rabbit);
    return {
      send(payload) {
        const event = { type: benchEvent, aggregateId: randomUUIDv7(), payload };
        void insertEvents(db.pool, [event]).then(notifier.wake);
      },
      async close() {
        await relay.stop();
        await inbox.stop();
      },
    };
  };
}

function throughBroker(servers: BenchServers): OpenRoute {
  return async (onArrival) => {
    const consumer = await consumeBare(servers, onArrival);
    const connection = await amqp.connect(servers.amqpUrl, { noDelay: true });
    const channel = await connection.createConfirmChannel();
    return {
      send(payload) {
        const body = Buffer.from(JSON.stringify(payload));
        publishEvent(channel, { messageId: randomUUIDv7(), type: benchEvent, aggregateId: randomUUIDv7(), body });
      },
      async close() {
        await connection.close();
        await consumer.close();
      },
    };
  };
}

function throughPeer(servers: BenchServers): OpenRoute {
  return async (onArrival) => {
    const consumer = await consumeBare(servers, onArrival);
    const relay = await relayByPeer(servers, benchEvent);
    return {
      send: (payload) => void relay.append(payload),
      async close() {
        await relay.stop();
        await consumer.close();
      },
    };
  };
}

async function consumeBare({ amqpUrl }: BenchServers, onArrival: (sentAt: number) => void): Promise<amqp.ChannelModel> {
  const connection = await amqp.connect(amqpUrl, { noDelay: true });
  const channel = await connection.createChannel();
  await channel.prefetch(100);
  await channel.consume(benchQueue, (message) => {
    if (message === null) return;
    onArrival((JSON.parse(message.content.toString()) as ReturnType<typeof benchPayload>).sent_at);
    channel.ack(message);
  });
  return connection;
}
