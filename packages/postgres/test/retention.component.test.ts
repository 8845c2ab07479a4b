import { expect } from 'chai';
import { createTelemetry } from '@taskwire/telemetry';
import { recordStatements, silent, testDatabase, type TestDatabase } from '@taskwire/testing';
import { createRetention, deleteInBatches, query, type Database, type RetentionRule } from '../src/index.ts';

describe('retention', () => {
  let test: TestDatabase;
  let db: Database;
  const { logger } = createTelemetry({ service: 'test', stream: silent() });
  const retentionOf = (...rules: RetentionRule[]) => createRetention({ rules, intervalMs: 60_000, logger });
  const left = async () => (await query<{ n: number }>(db.pool, 'SELECT n FROM things ORDER BY n')).map(({ n }) => n);
  const oldThings = (orderBy?: string) =>
    deleteInBatches(db.pool, {
      table: 'things',
      where: 'n <= $1 OR n = $2',
      values: () => [10, 12],
      ...(orderBy === undefined ? {} : { orderBy }),
      batch: 4,
    });

  before(async () => {
    test = await testDatabase([]);
    db = test.db;
    await query(db.pool, 'CREATE TABLE things (n integer PRIMARY KEY, at timestamptz NOT NULL)');
  });
  beforeEach(async () => {
    await query(db.pool, 'TRUNCATE things');
    await query(
      db.pool,
      `INSERT INTO things SELECT n, '2026-01-01'::timestamptz + n * interval '1 microsecond' FROM generate_series(1, 12) n`,
    );
  });
  after(async () => await test.drop());

  it('deletes the oldest rows in batches until none is left, and no others', async () => {
    const counts: number[] = [];
    const retention = retentionOf(
      deleteInBatches(db.pool, {
        ...{ table: 'things', where: 'n <= $1', values: () => [10], orderBy: 'at', batch: 4 },
        onDeleted: (count) => counts.push(count),
      }),
    );
    expect(await retention.tick()).to.equal('more');
    expect(await left()).to.deep.equal([5, 6, 7, 8, 9, 10, 11, 12]);
    expect(await retention.tick()).to.equal('more');
    expect(await retention.tick()).to.equal('idle');
    expect(await left()).to.deep.equal([11, 12]);
    expect(counts).to.deep.equal([4, 4, 2]);
  });

  it('works without an order, and keeps to a condition of several parts', async () => {
    for (const orderBy of [undefined, 'n']) {
      const retention = retentionOf(oldThings(orderBy));
      while ((await retention.tick()) === 'more');
      expect(await left()).to.deep.equal([11]);
      await query(db.pool, 'INSERT INTO things SELECT n, now() FROM generate_series(1, 12) n ON CONFLICT DO NOTHING');
    }
  });

  it('starts each batch at the last row of the full one before it, and finally starts over, so that skipped rows are found', async () => {
    const log = recordStatements(db.pool);
    const retention = retentionOf(oldThings('n'));
    const other = await db.pool.connect();
    try {
      await other.query('BEGIN');
      await other.query('SELECT FROM things WHERE n = 2 FOR UPDATE');
      while ((await retention.tick()) === 'more');
      expect(await left(), 'a locked row delays nothing').to.deep.equal([2, 11]);
      await other.query('COMMIT');
    } finally {
      other.release();
    }
    const starts = log.statements().flatMap(({ text, values }) => (text.includes('n >= $3') ? [values[2]] : []));
    expect(starts).to.deep.equal(['5']);
    expect(await retention.tick()).to.equal('idle');
    expect(await left()).to.deep.equal([11]);
  });

  it('gives each of several processes different rows', async () => {
    await query(db.pool, `INSERT INTO things SELECT -n, now() FROM generate_series(1, 500) n`);
    let deleted = 0;
    const loops = [1, 2, 3].map(() =>
      retentionOf(
        deleteInBatches(db.pool, {
          ...{ table: 'things', where: 'n <= 10', orderBy: 'n', batch: 20 },
          onDeleted: (count) => (deleted += count),
        }),
      ),
    );
    await Promise.all(
      loops.map(async (loop) => {
        while ((await loop.tick()) === 'more');
      }),
    );
    expect([await left(), deleted]).to.deep.equal([[11, 12], 510]);
  });

  it('applies the other rules if one fails, and reports the failure', async () => {
    const broken = deleteInBatches(db.pool, { table: 'nothing', where: 'true', batch: 1 });
    const failure: unknown = await retentionOf(broken, oldThings('n'))
      .tick()
      .catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(AggregateError);
    expect((failure as AggregateError).errors.map(String)).to.deep.equal(['Error: the retention of nothing failed']);
    expect(await left()).to.have.length(8);
  });
});
