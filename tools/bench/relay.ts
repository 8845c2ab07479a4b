import { against, median, printFigures } from './figures.ts';
import { watchMemory } from './memory.ts';
import { bareBatch, bareInFlight, inBatches, pipelined, publishBare } from './bare-publish.ts';
import { createOutboxBench, drainByRelay, fillOutbox, rateOf, type OutboxBench } from './outbox-bench.ts';
import { drainByPeer, peerName } from './peer.ts';
import { drainPlainly } from './plain-loop.ts';

/** Large enough to drain for a second or more, small enough to repeat. */
const backlog = 50_000;
/** All contenders are measured in turn, so that changes in the machine's speed affect all of them. */
const rounds = 3;
/** The peer drains only a few hundred events a second. */
const peerBacklog = 2_000;
/** Events of one aggregate in a backlog: a new task that is assigned at once produces three, which must be published one after the other. */
export const eventsPerAggregate = 3;

/** Runs one of the relay's benchmarks on its own servers. */
export async function onOutbox(measure: (bench: OutboxBench) => Promise<void>): Promise<void> {
  const bench = await createOutboxBench();
  try {
    await measure(bench);
  } finally {
    await bench.stop();
  }
}

/** Measures bare publishes, with confirms, of the same messages to the same queue. */
export async function measureCeiling({ servers, queue }: OutboxBench): Promise<number> {
  const rate = await publishBare(servers, backlog, pipelined);
  await queue.arrived(backlog);
  return rate;
}

/** Measures draining a backlog: durable, confirmed and in order of each aggregate. */
export async function measureDrain(bench: OutboxBench): Promise<void> {
  const { servers, db, queue } = bench;
  console.log(`\nrelay: ${rounds} × ${backlog.toLocaleString('en-US')} events, quorum queue, synchronous commits`);
  const rates: Record<'pipelined' | 'batches' | 'loop' | 'distinct' | 'three', number[]> = {
    ...{ pipelined: [], batches: [], loop: [], distinct: [], three: [] },
  };
  const memory = watchMemory();
  for (let round = 0; round < rounds; round++) {
    rates.pipelined.push(await measureCeiling(bench));
    rates.batches.push(await publishBare(servers, backlog, inBatches));
    await queue.arrived(backlog);
    await fillOutbox(db, backlog, 1);
    rates.loop.push(rateOf(await drainPlainly(servers)));
    await queue.arrived(backlog);
    for (const [kind, events] of [
      ['distinct', 1],
      ['three', eventsPerAggregate],
    ] as const) {
      await fillOutbox(db, backlog, events);
      rates[kind].push(rateOf(await memory.during(async () => await drainByRelay(bench))));
      await queue.arrived(backlog);
    }
  }
  const peer = await drainByPeer(servers, peerBacklog);
  await queue.arrived(peerBacklog);
  // which of the two is faster depends on the other load of the machine
  const ceiling = Math.max(median(rates.pipelined), median(rates.batches));
  printFigures('relay (median of the rounds)', [
    { what: `bare amqplib, ${bareInFlight} confirms in flight`, ...against(ceiling, median(rates.pipelined)) },
    { what: `bare amqplib, batches of ${bareBatch}`, ...against(ceiling, median(rates.batches)) },
    { what: `plain loop: delete ${bareBatch}, publish, confirm, commit`, ...against(ceiling, median(rates.loop)) },
    { what: `${peerName} (${peerBacklog} events, once)`, ...against(ceiling, peer) },
    { what: 'relay, one event for each aggregate', ...against(ceiling, median(rates.distinct)) },
    { what: `relay, ${eventsPerAggregate} events for each aggregate`, ...against(ceiling, median(rates.three)) },
    ...memory.figures(),
  ]);
}
