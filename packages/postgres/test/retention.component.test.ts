import { expect } from 'chai';
import { createTelemetry, type Telemetry } from '@taskwire/telemetry';
import { recordStatements, silent, testDatabase, type TestDatabase } from '@taskwire/testing';
import { createRetention, deleteInBatches, query, type Database, type RetentionRule } from '../src/index.ts';

describe('retention', () => {
  let test: TestDatabase;
  let db: Database;
  const things = { table: 'things', keeps: 'until they are old', because: 'it is a test', dueAt: 'at' };
  let telemetry: Telemetry;
  const retentionOf = (...rules: RetentionRule[]) => createRetention({ db, rules, intervalMs: 60_000, telemetry });
  const left = async () => (await query<{ n: number }>(db.pool, 'SELECT n FROM things ORDER BY n')).map(({ n }) => n);
  const metric = async (name: string, rule: string) => {
    const lines = (await telemetry.metrics.metrics()).split('\n');
    const line = lines.find((one) => one.startsWith(`${name}{`) && one.includes(`rule="${rule}"`));
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  };
  const oldThings = (orderBy?: string) =>
    deleteInBatches({
      ...things,
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
    telemetry = createTelemetry({ service: 'test', stream: silent() });
    await query(db.pool, 'TRUNCATE things');
    await query(
      db.pool,
      `INSERT INTO things SELECT n, '2026-01-01'::timestamptz + n * interval '1 microsecond' FROM generate_series(1, 12) n`,
    );
  });
  after(async () => await test.drop());

  it('deletes the oldest rows in batches until none is left, and no others', async () => {
    const retention = retentionOf(
      deleteInBatches({ ...things, where: 'n <= $1', values: () => [10], orderBy: 'at', batch: 4 }),
    );
    expect(await retention.tick()).to.equal('more');
    expect(await left()).to.deep.equal([5, 6, 7, 8, 9, 10, 11, 12]);
    expect(await retention.tick()).to.equal('more');
    expect(await retention.tick()).to.equal('idle');
    expect(await left()).to.deep.equal([11, 12]);
    expect(await metric('retention_rows_total', 'things')).to.equal(10);
  });

  it('works without an order, and applies a condition of several parts', async () => {
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
    const loops = [1, 2, 3].map(() =>
      retentionOf(deleteInBatches({ ...things, where: 'n <= 10', orderBy: 'n', batch: 20 })),
    );
    await Promise.all(
      loops.map(async (loop) => {
        while ((await loop.tick()) === 'more');
      }),
    );
    expect(await left()).to.deep.equal([11, 12]);
    expect(await metric('retention_rows_total', 'things')).to.equal(510);
  });

  it('applies the other rules if one fails, and reports the failure', async () => {
    const broken = deleteInBatches({ ...things, table: 'nothing', where: 'true', batch: 1 });
    const failure: unknown = await retentionOf(broken, oldThings('n'))
      .tick()
      .catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(AggregateError);
    expect((failure as AggregateError).errors.map(String)).to.deep.equal(['Error: the retention of nothing failed']);
    expect(await left()).to.have.length(8);
  });

  it('counts every rule from 0, and measures how long the oldest row that is left has been due', async () => {
    await query(db.pool, "UPDATE things SET at = now() - interval '1 hour' WHERE n = 3");
    const rule = (name: string, where: string) => deleteInBatches({ ...things, name, where, orderBy: 'at', batch: 4 });
    retentionOf(rule('late', 'n = 3'), rule('nothing due', 'n > 12'), rule('not yet due', 'n = 4'));
    await query(db.pool, "UPDATE things SET at = now() + interval '1 hour' WHERE n = 4");
    expect(await metric('retention_rows_total', 'late')).to.equal(0);
    expect(await metric('retention_overdue_seconds', 'late')).to.be.within(3_600, 3_660);
    expect(await metric('retention_overdue_seconds', 'nothing due')).to.equal(0);
    expect(await metric('retention_overdue_seconds', 'not yet due'), 'clocks may differ').to.equal(0);
  });

  it('measures nothing while the database is unavailable, and leaves other metrics readable', async () => {
    retentionOf(deleteInBatches({ ...things, table: 'nothing', where: 'true', batch: 1 }));
    expect(await metric('retention_rows_total', 'nothing')).to.equal(0);
    expect(await metric('retention_overdue_seconds', 'nothing')).to.equal(undefined);
  });
});
