import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { appendEvents, createRelay, createWaker } from '@taskwire/outbox';
import { benchEvent, benchPayload, connected, createBenchInbox, createMessagingBench } from './messaging.ts';
import { percentile, printFigures } from './figures.ts';
import { startBenchServers } from './servers.ts';

const rate = 500;
const seconds = 20;
/** Connections, plans and caches are warm after this many events; they do not count. */
const warmUp = 500;

/**
 * From the commit of an event to the call of its handler: outbox, relay, RabbitMQ, inbox, at a steady rate. Writer, relay and consumer are
 * one process here, on connections of their own, so one clock measures; with processes of their own they get in each other's way less.
 */
export async function measureLatency(): Promise<void> {
  console.log(`latency: ${rate} events/s for ${seconds} s, quorum queue, synchronous commits`);
  const servers = await startBenchServers();
  const bench = await createMessagingBench(servers);
  const { db, rabbit, telemetry } = bench;
  const relay = createRelay({
    databaseUrl: servers.databaseUrl,
    publisher: rabbit.publisher(),
    telemetry,
    appId: 'bench',
  });
  const waker = createWaker({ db: db.pool, relay, logger: telemetry.logger });
  const samples: number[] = [];
  const inbox = createBenchInbox(bench, (committedAt) => samples.push(performance.now() - committedAt));
  await rabbit.start();
  await inbox.start();
  await relay.start();
  await connected(rabbit);
  try {
    const total = rate * seconds + warmUp;
    const start = performance.now();
    for (let sent = 0; sent < total; sent++) {
      const dueAt = start + (sent * 1000) / rate;
      if (dueAt > performance.now()) await delay(dueAt - performance.now());
      // without waiting: a slow commit must not slow the rate down
      void appendEvents(db.pool, [{ type: benchEvent, aggregateId: randomUUID(), payload: benchPayload() }]).then(
        waker.wake,
      );
    }
    while (samples.length < total) await delay(10);
    const counted = samples.slice(warmUp);
    printFigures('latency', [
      { what: 'append → handler, p50', value: `${percentile(counted, 0.5).toFixed(1)} ms` },
      { what: 'append → handler, p99', value: `${percentile(counted, 0.99).toFixed(1)} ms` },
      { what: 'append → handler, most', value: `${Math.max(...counted).toFixed(1)} ms` },
    ]);
  } finally {
    await relay.stop();
    await inbox.stop();
    await bench.stop();
    await servers.stop();
  }
}
