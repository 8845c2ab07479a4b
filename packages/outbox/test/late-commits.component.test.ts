import { expect } from 'chai';
import type { PoolClient } from 'pg';
import { insertEvents } from '@taskwire/outbox';
import { openOwnerConnection, type OwnerConnection } from '../src/owner-connection.ts';
import { createReader, type Reader } from '../src/reader.ts';
import { anEvent, createBench, type Bench } from './bench.ts';

describe('what the relay reads of a transaction that commits late', () => {
  let bench: Bench;
  let connection: OwnerConnection;
  let slow: PoolClient;

  before(async () => {
    bench = await createBench();
    connection = await openOwnerConnection({ url: bench.database.url, name: 'test', onNotify: () => undefined });
    slow = await bench.database.db.pool.connect();
  });
  after(async () => {
    slow.release();
    await connection.close();
    await bench.drop();
  });

  /** All that a reader gives for aggregate `k`, asked again until both events are there. */
  async function order(reader: Reader, clock: { ms: number }): Promise<number[]> {
    const read: number[] = [];
    for (let i = 0; read.length < 2 && i < 50; i++) {
      const { rows } = await reader.read(100);
      read.push(...rows.filter((row) => row.aggregateId === 'k').map((row) => JSON.parse(row.payload).n));
      reader.expectLate();
      clock.ms += 20;
    }
    return read;
  }

  for (const [how, tookMs] of [
    ['quick', 0],
    ['slow, so that the next must wait', 1_000],
  ] as const) {
    it(`comes before the later event of its aggregate that commits right after it, when sweeps are ${how}`, async () => {
      const { pool } = bench.database.db;
      const clock = { ms: 0 };
      // every look at the clock takes time: what is measured seems to take long
      const now = (): number => (clock.ms += tookMs);
      const reader = createReader({ connection, known: () => false, now, shortWay: 0 });
      await reader.read(100);
      await slow.query('BEGIN');
      await insertEvents(slow, [anEvent(1, 'k')]);
      await insertEvents(pool, [anEvent(0, 'other')]);
      for (let i = 0; i < 3; i++) {
        reader.expectLate();
        await reader.read(100);
      }
      await slow.query('COMMIT');
      await insertEvents(pool, [anEvent(2, 'k')]);
      reader.expectLate();
      expect(await order(reader, clock)).to.deep.equal([1, 2]);
      await pool.query('DELETE FROM outbox');
    });
  }

  // a read is at most this many statements
  for (let statements = 0; statements < 6; statements++) {
    it(`is in its own order when it commits after ${statements} statements of a read, with rows below and above what was read`, async () => {
      const { pool } = bench.database.db;
      let left = Infinity;
      const interrupted: OwnerConnection = {
        ...connection,
        async run(statement, values) {
          if (left-- === 0) await slow.query('COMMIT');
          return await connection.run(statement, values);
        },
      };
      const clock = { ms: 0 };
      const now = (): number => (clock.ms += 1_000);
      const reader = createReader({ connection: interrupted, known: () => false, now, shortWay: 0 });
      await reader.read(100);
      await slow.query('BEGIN');
      await insertEvents(slow, [anEvent(1, 'k')]);
      await insertEvents(pool, [anEvent(0, 'other')]);
      reader.expectLate();
      await reader.read(100);
      await insertEvents(slow, [anEvent(2, 'k')]);
      left = statements;
      reader.expectLate();
      expect(await order(reader, clock)).to.deep.equal([1, 2]);
      await pool.query('DELETE FROM outbox');
    });
  }
});
