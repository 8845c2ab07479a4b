import { expect } from 'chai';
import fc from 'fast-check';
import type { PoolClient } from 'pg';
import { insertEvents } from '@taskwire/outbox';
import { query } from '@taskwire/postgres';
import { propertyRuns, propertyTimeoutMs } from '@taskwire/testing';
import { openLeaderConnection, type LeaderConnection } from '../src/leader-connection.ts';
import { createDatabaseClock } from '../src/database-clock.ts';
import { createReader, type Reader } from '../src/reader.ts';
import { anEvent, createBench, type Bench, wholeOutbox } from './bench.ts';

type Step =
  | { do: 'insert'; writer: number; aggregate: number; rows: number }
  | { do: 'commit' | 'rollback'; writer: number }
  | { do: 'delete' };

const writers = 4;
const writer = fc.nat({ max: writers - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('insert' as const),
      writer,
      aggregate: fc.nat({ max: 2 }),
      rows: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('commit' as const, 'commit' as const, 'rollback' as const), writer }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const) }) },
);
const program = fc.record({
  steps: fc.array(step, { minLength: 10, maxLength: 60 }),
  /** How many steps are taken before each statement of the reader, in turn. */
  pace: fc.array(fc.nat({ max: 3 }), { minLength: 7, maxLength: 7 }),
  /** How much time passes with each reading of the clock, in turn. */
  clock: fc.array(fc.constantFrom(0, 1, 300), { minLength: 5, maxLength: 5 }),
  capacity: fc.integer({ min: 1, max: 8 }),
});
type Program = typeof program extends fc.Arbitrary<infer T> ? T : never;

describe('the reader of the outbox', () => {
  let bench: Bench;
  let connection: LeaderConnection;
  let clients: PoolClient[];

  before(async () => {
    bench = await createBench();
    connection = await openLeaderConnection({ url: bench.database.url, name: 'test', onNotify: () => undefined });
    clients = await Promise.all(Array.from({ length: writers }, () => bench.database.db.pool.connect()));
  });
  after(async () => {
    for (const client of clients) client.release();
    await connection.close();
    await bench.drop();
  });

  /**
   * Writers that behave like the services: a transaction that appends events of an aggregate keeps the aggregate locked until the transaction ends.
   */
  function createWriters() {
    const open = new Map<number, { ids: number[]; aggregates: Set<number> }>();
    const committed: { id: number; aggregate: string }[] = [];
    const end = async (index: number, how: 'commit' | 'rollback'): Promise<void> => {
      if (!open.delete(index)) return;
      const wrote = 'SELECT id, aggregate_id AS aggregate FROM outbox WHERE xmin = pg_current_xact_id()::xid';
      const { rows } = await clients[index]!.query<{ id: string; aggregate: string }>(wrote);
      await clients[index]!.query(how);
      if (how === 'commit') committed.push(...rows.map((row) => ({ ...row, id: Number(row.id) })));
    };
    return {
      committed,
      end,
      endAll: async () => {
        for (const index of [...open.keys()]) await end(index, 'commit');
      },
      async insert(index: number, aggregate: number, rows: number): Promise<void> {
        const locked = [...open].some(([other, { aggregates }]) => other !== index && aggregates.has(aggregate));
        // this writer would have to wait for the lock
        if (locked) return;
        const mine = open.get(index) ?? { ids: [], aggregates: new Set() };
        if (!open.has(index)) await clients[index]!.query('BEGIN');
        open.set(index, mine);
        mine.aggregates.add(aggregate);
        await insertEvents(
          clients[index]!,
          Array.from({ length: rows }, (_, n) => anEvent(n, `a${aggregate}`)),
        );
      },
    };
  }

  async function run({ steps, pace, clock, capacity }: Program): Promise<void> {
    const { pool } = bench.database.db;
    await query(pool, 'DELETE FROM outbox');
    const { committed, insert, end, endAll } = createWriters();
    const inMemory = new Set<number>();
    const given: { id: number; aggregate: string }[] = [];
    const rest = steps.values();
    let [turn, tick, time] = [0, 0, 0];

    const take = async (next: Step): Promise<void> => {
      if (next.do === 'insert') return await insert(next.writer, next.aggregate, next.rows);
      if (next.do !== 'delete') return await end(next.writer, next.do);
      await query(pool, 'DELETE FROM outbox WHERE id = ANY ($1)', [[...inMemory]]);
      inMemory.clear();
    };
    /** Runs steps of the program before each statement of the reader. */
    const busy: LeaderConnection = {
      ...connection,
      async run(statement, values) {
        for (let n = pace[turn++ % pace.length]!; n > 0; n--) {
          const { value } = rest.next();
          // the relay deletes rows between two reads, not during a read
          if (value !== undefined && value.do !== 'delete') await take(value);
        }
        return await connection.run(statement, values);
      },
    };
    const reader = createReader({
      partition: wholeOutbox,
      clock: createDatabaseClock(),
      connection: busy,
      known: (id) => inMemory.has(id),
      now: () => (time += clock[tick++ % clock.length]!),
    });
    const read = async (): Promise<number> => {
      reader.expectLateCommits();
      time += 100;
      const { rows } = await reader.read(capacity);
      for (const { id, aggregateId } of rows) {
        given.push({ id, aggregate: aggregateId });
        inMemory.add(id);
      }
      return rows.length;
    };

    for (let reads = 0; reads < 12; reads++) {
      await read();
      if (reads % 5 === 4) await take({ do: 'delete' });
    }
    for (const next of rest) await take(next);
    await endAll();
    const readLater = async (): Promise<number> => {
      time += 1_000;
      return await read();
    };
    await readToTheEnd(readLater, reader);
    const byId = committed.toSorted((a, b) => a.id - b.id);
    expect(given.map(({ id }) => id).toSorted((a, b) => a - b)).to.deep.equal(byId.map(({ id }) => id));
    for (const aggregate of new Set(byId.map((row) => row.aggregate))) {
      const mine = (row: { aggregate: string }): boolean => row.aggregate === aggregate;
      expect(given.filter(mine)).to.deep.equal(byId.filter(mine));
    }
  }

  /**
   * Once no writer is running, a few more reads must find all rows, and raise the low watermark to the cursor. They are so far apart that each may ask
   * again which transactions write.
   */
  async function readToTheEnd(read: () => Promise<number>, reader: Reader): Promise<void> {
    for (let quiet = 0; quiet < 12; quiet++) if ((await read()) > 0) quiet = 0;
    const { lowWatermark, cursor } = reader.position();
    expect(lowWatermark).to.equal(cursor);
  }

  it('returns every committed row once, in order within each aggregate, wherever between its statements writers insert, commit and roll back', async function () {
    this.timeout(propertyTimeoutMs);
    await fc.assert(fc.asyncProperty(program, run), propertyRuns({ test: 30, drill: 2000 }));
  });

  const others: [who: string, begin: string][] = [
    ['reads an old snapshot', 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT count(*) FROM outbox'],
    ['writes to other tables', 'BEGIN; CREATE TABLE other (id integer)'],
  ];
  for (const [who, begin] of others) {
    it(`raises its low watermark, although deleted rows cannot be vacuumed, while a transaction stays open that ${who}`, async () => {
      const { pool } = bench.database.db;
      await query(pool, 'DELETE FROM outbox');
      await clients[0]!.query(begin);
      let time = 0;
      const reader = createReader({
        connection,
        partition: wholeOutbox,
        clock: createDatabaseClock(),
        known: () => false,
        now: () => time,
      });
      const read = async (): Promise<void> => {
        time += 3_600_000;
        reader.expectLateCommits();
        await reader.read(1_000);
      };
      for (let round = 0; round < 5; round++) {
        await insertEvents(
          pool,
          Array.from({ length: 100 }, (_, n) => anEvent(n)),
        );
        for (let i = 0; i < 3; i++) await read();
        await query(pool, 'DELETE FROM outbox');
        for (let i = 0; i < 2; i++) await read();
        expect(reader.position().lowWatermark).to.equal(await reader.lastId());
      }
      await clients[0]!.query('ROLLBACK');
    });
  }
});
