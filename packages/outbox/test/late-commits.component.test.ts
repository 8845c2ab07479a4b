import { expect } from 'chai';
import type { PoolClient } from 'pg';
import { insertEvents } from '@taskwire/outbox';
import { openLeaderConnection, type LeaderConnection } from '../src/leader-connection.ts';
import { createDatabaseClock } from '../src/database-clock.ts';
import { createReader, type Reader } from '../src/reader.ts';
import { anEvent, createBench, type Bench, wholeOutbox } from './bench.ts';

describe('rows of a transaction that commits late', () => {
  let bench: Bench;
  let connection: LeaderConnection;
  let slow: PoolClient;

  before(async () => {
    bench = await createBench();
    connection = await openLeaderConnection({ url: bench.database.url, name: 'test', onNotify: () => undefined });
    slow = await bench.database.db.pool.connect();
  });
  after(async () => {
    slow.release();
    await connection.close();
    await bench.drop();
  });

  /** The payloads of aggregate `k` in the order in which the reader returns them; reads until both have been returned. */
  async function order(reader: Reader): Promise<number[]> {
    const read: number[] = [];
    for (let i = 0; read.length < 2 && i < 50; i++) {
      const { rows } = await reader.read(100);
      read.push(...rows.filter((row) => row.aggregateId === 'k').map((row) => JSON.parse(row.payload).n));
      reader.expectLateCommits();
    }
    return read;
  }

  it('are read before the next event of their aggregate, which commits right after them', async () => {
    const { pool } = bench.database.db;
    const reader = createReader({
      connection,
      partition: wholeOutbox,
      clock: createDatabaseClock(),
      known: () => false,
    });
    await reader.read(100);
    await slow.query('BEGIN');
    await insertEvents(slow, [anEvent(1, 'k')]);
    await insertEvents(pool, [anEvent(0, 'other')]);
    for (let i = 0; i < 3; i++) {
      reader.expectLateCommits();
      await reader.read(100);
    }
    await slow.query('COMMIT');
    await insertEvents(pool, [anEvent(2, 'k')]);
    reader.expectLateCommits();
    expect(await order(reader)).to.deep.equal([1, 2]);
    await pool.query('DELETE FROM outbox');
  });

  // a read consists of at most this number of statements
  for (let statements = 0; statements < 6; statements++) {
    it(`are read in their own order when they commit after ${statements} statements of a read, with rows below and above the cursor`, async () => {
      const { pool } = bench.database.db;
      let left = Infinity;
      const interrupted: LeaderConnection = {
        ...connection,
        async run(statement, values) {
          if (left-- === 0) await slow.query('COMMIT');
          return await connection.run(statement, values);
        },
      };
      let ms = 0;
      // the low watermark may rise with every read
      const reader = createReader({
        connection: interrupted,
        partition: wholeOutbox,
        clock: createDatabaseClock(),
        known: () => false,
        now: () => (ms += 1_000),
      });
      await reader.read(100);
      await slow.query('BEGIN');
      await insertEvents(slow, [anEvent(1, 'k')]);
      await insertEvents(pool, [anEvent(0, 'other')]);
      reader.expectLateCommits();
      await reader.read(100);
      await insertEvents(slow, [anEvent(2, 'k')]);
      left = statements;
      reader.expectLateCommits();
      expect(await order(reader)).to.deep.equal([1, 2]);
      await pool.query('DELETE FROM outbox');
    });
  }
});
