import { expect } from 'chai';
import fc from 'fast-check';
import { appendEvents } from '@taskwire/outbox';
import { query } from '@taskwire/postgres';
import type { OutgoingMessage } from '@taskwire/rabbit';
import { propertyRuns, propertyTimeoutMs, simulateWork } from '@taskwire/testing';
import { createBench, type Bench } from './bench.ts';
import { fakePublisher, type Answer, type FakePublisher } from './fake-publisher.ts';

type Change = { aggregate: number; events: number; pauseMs: number; commits: boolean };

const aggregates = 5;
const change: fc.Arbitrary<Change> = fc.record({
  aggregate: fc.nat({ max: aggregates - 1 }),
  events: fc.integer({ min: 1, max: 3 }),
  pauseMs: fc.integer({ min: 0, max: 6 }),
  commits: fc.integer({ min: 0, max: 9 }).map((n) => n < 8),
});
const program = fc.record({
  /** The changes of each concurrent writer, which it makes one after the other. */
  writers: fc.array(fc.array(change, { minLength: 1, maxLength: 12 }), { minLength: 2, maxLength: 5 }),
  /** The broker's answers, in turn. */
  answers: fc.array(
    fc.oneof(
      { weight: 12, arbitrary: fc.constant<Answer>('confirmed') },
      { weight: 1, arbitrary: fc.constantFrom<Answer>('returned', 'nacked', 'unknown', 'unknown but taken') },
    ),
    { minLength: 50, maxLength: 50 },
  ),
  delaysMs: fc.array(fc.nat({ max: 4 }), { minLength: 10, maxLength: 10 }),
  /** The times at which the leader loses its connection, in milliseconds from the start. */
  kills: fc.array(fc.nat({ max: 100 }), { maxLength: 3 }),
});

describe('several relays with concurrent writers', () => {
  let bench: Bench;
  before(async () => {
    bench = await createBench();
    await query(bench.database.db.pool, 'CREATE TABLE aggregate (id text PRIMARY KEY, version integer NOT NULL)');
  });
  after(async () => await bench.drop());

  /** Writes in the same way as a service: locks the aggregate's row by changing it, then appends its events, numbered by the version. */
  async function write(changes: Change[]): Promise<void> {
    for (const { aggregate, events, pauseMs, commits } of changes) {
      const id = `a${aggregate}`;
      const transaction = bench.database.db.transaction(async (tx) => {
        const bump = 'UPDATE aggregate SET version = version + $2 WHERE id = $1 RETURNING version';
        const [row] = await query<{ version: number }>(tx, bump, [id, events]);
        const last = row?.version ?? 0;
        const numbers = Array.from({ length: events }, (_, i) => last - events + 1 + i);
        await appendEvents(
          tx,
          numbers.map((n) => ({ type: 'tasks.task.changed', aggregateId: id, payload: { n } })),
        );
        await simulateWork(pauseMs);
        if (!commits) throw new Error('rolled back');
      });
      await transaction.catch((error: unknown) => {
        if (!String(error).includes('rolled back')) throw error;
      });
    }
  }

  /** The messages as an inbox sees them: the first copy of each, by aggregate. */
  function consumed({ taken }: FakePublisher): Map<string, number[]> {
    const seen = new Set<string>();
    const first = taken.filter(({ messageId }) => !seen.has(messageId) && seen.add(messageId));
    const byAggregate = Map.groupBy(first, (message) => String(message.headers['aggregate_id']));
    const numberOf = (message: OutgoingMessage): number => (JSON.parse(message.body.toString()) as { n: number }).n;
    return new Map([...byAggregate].map(([id, messages]) => [id, messages.map(numberOf)]));
  }

  async function run({ writers, answers, delaysMs, kills }: Program): Promise<void> {
    const { pool } = bench.database.db;
    await query(pool, 'DELETE FROM aggregate');
    await query(pool, `INSERT INTO aggregate SELECT 'a' || i, 0 FROM generate_series(0, $1) i`, [aggregates - 1]);
    let turn = 0;
    const publisher = fakePublisher(
      () => answers[turn++ % answers.length] ?? 'confirmed',
      () => delaysMs[turn % delaysMs.length] ?? 0,
    );
    const relays = [bench.relay(publisher), bench.relay(publisher)];
    let writing = true;
    const relaying = relays.map(async (relay) => {
      while (writing || (await bench.rows()).length > 0) {
        // the connection may be lost in the middle of a round
        await relay.tick().catch(() => undefined);
        await simulateWork(1);
      }
    });
    const killing = kills.map(async (afterMs) => {
      await simulateWork(afterMs);
      await bench.killLeaderConnections();
    });
    await Promise.all([...writers.map(write), ...killing]);
    writing = false;
    await Promise.all(relaying);
    await Promise.all(relays.map((relay) => relay.stop()));

    const versions = await query<{ id: string; version: number }>(pool, 'SELECT id, version FROM aggregate');
    const expected = versions.filter(({ version }) => version > 0);
    const actual = consumed(publisher);
    expect([...actual.keys()].toSorted()).to.deep.equal(expected.map(({ id }) => id).toSorted());
    for (const { id, version } of expected)
      expect(actual.get(id)).to.deep.equal(Array.from({ length: version }, (_, i) => i + 1));
  }

  it('publish every committed event and no other, in order within each aggregate, for any responses of the broker and any death of a relay', async function () {
    this.timeout(propertyTimeoutMs);
    await fc.assert(fc.asyncProperty(program, run), {
      ...propertyRuns({ test: 10, drill: 500 }),
      plugins: [fc.interruptAfterTimeLimit(propertyTimeoutMs / 2, { failOnInterrupt: true })],
    });
  });
});

type Program = typeof program extends fc.Arbitrary<infer T> ? T : never;
