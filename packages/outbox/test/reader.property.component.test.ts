import { expect } from 'chai';
import fc from 'fast-check';
import type { PoolClient } from 'pg';
import { appendEvents } from '@taskwire/outbox';
import { query } from '@taskwire/postgres';
import { openOwnerConnection, type OwnerConnection } from '../src/owner-connection.ts';
import { createReader, type Reader } from '../src/reader.ts';
import { anEvent, createBench, type Bench } from './bench.ts';

type Step =
  | { do: 'insert'; writer: number; rows: number }
  | { do: 'commit' | 'rollback'; writer: number }
  | { do: 'read'; room: number }
  | { do: 'delete' };

const writers = 4;
const writer = fc.nat({ max: writers - 1 });
const steps = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('insert' as const), writer, rows: fc.integer({ min: 1, max: 3 }) }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('commit' as const, 'rollback' as const), writer }) },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('read' as const), room: fc.integer({ min: 1, max: 6 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const) }) },
  ),
  { minLength: 10, maxLength: 60 },
);

describe('what the relay reads', () => {
  let bench: Bench;
  let connection: OwnerConnection;
  let clients: PoolClient[];

  before(async () => {
    bench = await createBench();
    connection = await openOwnerConnection({ url: bench.database.url, name: 'test', onNotify: () => undefined });
    clients = await Promise.all(Array.from({ length: writers }, () => bench.database.db.pool.connect()));
  });
  after(async () => {
    for (const client of clients) client.release();
    await connection.close();
    await bench.drop();
  });

  /** Runs the steps one after the other; a client that inserts has a transaction until it commits or rolls back. */
  async function run(program: Step[]): Promise<void> {
    await query(bench.database.db.pool, 'DELETE FROM outbox');
    const inMemory = new Set<number>();
    const seen: number[] = [];
    const committed: number[] = [];
    const open = new Map<number, number[]>();
    let time = 0;
    const reader = createReader({ connection, known: (id) => inMemory.has(id), now: () => time });
    const read = async (room: number): Promise<number> => {
      reader.expectLate();
      // an hour passes between two reads: every mark and every sweep is due
      time += 3_600_000;
      const { rows } = await reader.read(room);
      for (const { id } of rows) {
        expect(seen).not.to.include(id);
        seen.push(id);
        inMemory.add(id);
      }
      return rows.length;
    };
    const end = async (index: number, how: 'commit' | 'rollback'): Promise<void> => {
      const ids = open.get(index);
      if (ids === undefined) return;
      await clients[index]?.query(how);
      open.delete(index);
      if (how === 'commit') committed.push(...ids);
    };

    for (const step of program) {
      if (step.do === 'read') await read(step.room);
      else if (step.do === 'delete') {
        await query(bench.database.db.pool, 'DELETE FROM outbox WHERE id = ANY ($1)', [[...inMemory]]);
        inMemory.clear();
      } else if (step.do === 'insert') await insert(step.writer, step.rows, open);
      else await end(step.writer, step.do);
    }
    for (const index of [...open.keys()]) await end(index, 'commit');
    await readToTheEnd(read, reader);
    expect(seen.toSorted((a, b) => a - b)).to.deep.equal(committed.toSorted((a, b) => a - b));
  }

  async function insert(index: number, rows: number, open: Map<number, number[]>): Promise<void> {
    const client = clients[index];
    if (client === undefined) return;
    const ids = open.get(index) ?? [];
    if (ids.length === 0) await client.query('BEGIN');
    await appendEvents(
      client,
      Array.from({ length: rows }, (_, n) => anEvent(n)),
    );
    const inserted = await client.query<{ id: string }>('SELECT id FROM outbox WHERE xid = pg_current_xact_id()');
    open.set(index, [...new Set([...ids, ...inserted.rows.map((row) => Number(row.id))])]);
  }

  /** Without writers, a few more reads must find everything, and bring the floor to the end. */
  async function readToTheEnd(read: (room: number) => Promise<number>, reader: Reader): Promise<void> {
    for (let quiet = 0; quiet < 4;) quiet = (await read(100)) === 0 ? quiet + 1 : 0;
    const { floor, cursor } = reader.position();
    expect(floor).to.equal(cursor);
  }

  it('is every committed row, once, in whatever order transactions begin, write, commit and roll back', async () => {
    await fc.assert(fc.asyncProperty(steps, run), { numRuns: 150, endOnFailure: false });
  });

  it('does not let an old snapshot slow it down: the floor follows although deleted rows cannot be cleaned away', async () => {
    const { pool } = bench.database.db;
    await query(pool, 'DELETE FROM outbox');
    const [old] = clients;
    await old?.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await old?.query('SELECT count(*) FROM outbox');
    let time = 0;
    const reader = createReader({ connection, known: () => false, now: () => time });
    const read = async (): Promise<void> => {
      time += 3_600_000;
      reader.expectLate();
      await reader.read(1_000);
    };
    for (let round = 0; round < 5; round++) {
      await appendEvents(
        pool,
        Array.from({ length: 100 }, (_, n) => anEvent(n)),
      );
      for (let i = 0; i < 3; i++) await read();
      await query(pool, 'DELETE FROM outbox');
      for (let i = 0; i < 2; i++) await read();
      expect(reader.position().floor).to.equal(await reader.lastId());
    }
    await old?.query('COMMIT');
  });
});
