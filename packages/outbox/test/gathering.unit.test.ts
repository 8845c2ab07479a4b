import { createTelemetry } from '@taskwire/telemetry';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { silent } from '@taskwire/testing';
import { expect } from 'chai';
import { createDrain, type RelayLimits } from '../src/drain.ts';
import type { LeaderConnection } from '../src/leader-connection.ts';
import { fakePublisher } from './fake-publisher.ts';
import { wholeOutbox } from './bench.ts';

const limits: RelayLimits = {
  ...{ window: 4_000, windowBytes: 1_000_000, inFlight: 2_000, batch: 100 },
  retry: { baseMs: 1, capMs: 5 },
};

/** An outbox in memory, and the names of the statements that a drain runs on it. */
function memoryOutbox() {
  const statements: string[] = [];
  let waiting: string[][] = [];
  let lastId = 0;
  const connection = {
    lost: new AbortController().signal,
    async run({ name }: { name: string }) {
      statements.push(name.replace('_with_blocked', ''));
      await nextTurn();
      if (name === 'outbox.read_last_id') return [[String(lastId), '0']];
      if (name === 'outbox.count_blocked') return [['0', null]];
      return /scan_rows/.test(name) ? waiting.splice(0) : [];
    },
  } as unknown as LeaderConnection;
  return {
    connection,
    append() {
      const id = String(++lastId);
      waiting = [...waiting, [id, `m-${id}`, 'tasks.task.changed', `a-${id}`, '{}', '{}', '0', '0', 'f']];
    },
    count: (name: RegExp) => statements.filter((one) => name.test(one)).length,
  };
}

describe('The statements of a relay', () => {
  const telemetry = createTelemetry({ service: 'tasks', stream: silent() });
  const stopping = new AbortController();
  const { signal } = stopping;
  // also ends a round that a failed test has left running
  after(() => stopping.abort());
  const polls = /count_blocked/;
  const reads = /scan_rows/;

  it('include no poll for a wake-up, because the read finds the row', async () => {
    const outbox = memoryOutbox();
    const publisher = fakePublisher(() => 'confirmed');
    const { connection } = outbox;
    const drain = createDrain({ connection, publisher, appId: 'tasks', partition: wholeOutbox, limits, telemetry });
    const startedAt = performance.now();
    await drain.round(signal);
    for (let n = 1; n <= 5; n++) {
      outbox.append();
      drain.wake();
      await drain.round(signal);
      expect(publisher.taken).to.have.length(n);
    }
    // one at the start, and one every second
    expect(outbox.count(polls)).to.be.at.most(1 + Math.floor((performance.now() - startedAt) / 1_000));
    const before = outbox.count(polls);
    await drain.round(signal);
    expect(outbox.count(polls)).to.be.greaterThan(before);
  });

  it('read at most every 5 ms while publishes are in flight, and at once when none is', async () => {
    const outbox = memoryOutbox();
    const confirms = Promise.withResolvers<'confirmed'>();
    const publisher = fakePublisher(async () => await confirms.promise);
    const { connection } = outbox;
    const drain = createDrain({ connection, publisher, appId: 'tasks', partition: wholeOutbox, limits, telemetry });
    outbox.append();
    const running = drain.round(signal);
    while (publisher.asked.length === 0) await nextTurn();
    const before = outbox.count(reads);
    const startedAt = performance.now();
    // on a busy machine, the first read may be later
    while (performance.now() - startedAt < 60 || outbox.count(reads) === before) {
      outbox.append();
      drain.wake();
      await nextTurn();
    }
    // a read is one statement, or two when it rescans for late commits
    expect(outbox.count(reads) - before).to.be.within(1, 2 + (2 * (performance.now() - startedAt)) / 5);
    outbox.append();
    drain.wake();
    confirms.resolve('confirmed');
    await running;
    expect(publisher.taken.length).to.equal(publisher.asked.length);
    expect(drain.stats().rows).to.equal(0);
  });
});
