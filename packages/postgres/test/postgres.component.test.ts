import { expect } from 'chai';
import { startFaultProxy } from '@taskwire/process-supervisor';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, testDatabase, type TestDatabase } from '@taskwire/testing';
import { createDatabase, isoMicros, isSqlState, query, sqlState } from '../src/index.ts';

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => expect.fail('it succeeded'),
    (error: unknown) => error,
  );
}

describe('the database', () => {
  let test: TestDatabase;

  before(async () => {
    test = await testDatabase([]);
    await query(test.db.pool, 'CREATE TABLE things (id integer PRIMARY KEY, at timestamptz)');
  });
  after(async () => await test.drop());

  it('returns rows for every command, on the pool and in a transaction', async () => {
    const statement = 'INSERT INTO things VALUES ($1) RETURNING id';
    expect(await query(test.db.pool, statement, [1])).to.deep.equal([{ id: 1 }]);
    await test.db.transaction(async (tx) => {
      expect(await query(tx, { name: 'insert thing', text: statement, values: [2] })).to.deep.equal([{ id: 2 }]);
      expect(await query(tx, 'UPDATE things SET id = id RETURNING id')).to.have.length(2);
      expect(await query(tx, 'DELETE FROM things')).to.deep.equal([]);
    });
  });

  it('rolls back a transaction that rejects', async () => {
    await failureOf(
      test.db.transaction(async (tx) => {
        await query(tx, 'INSERT INTO things VALUES (3)');
        throw new Error('no');
      }),
    );
    expect(await query(test.db.pool, 'SELECT FROM things WHERE id = 3')).to.have.length(0);
  });

  it('names the constraint that a statement violated', async () => {
    await query(test.db.pool, 'INSERT INTO things VALUES (4)');
    const error = await failureOf(query(test.db.pool, 'INSERT INTO things VALUES (4)'));
    expect(isSqlState(error, sqlState.uniqueViolation, 'things_pkey')).to.equal(true);
    expect(isSqlState(error, sqlState.uniqueViolation, 'other')).to.equal(false);
    expect(isSqlState(error, sqlState.deadlockDetected)).to.equal(false);
  });

  it('returns instants with microseconds', async () => {
    const text = `SELECT ${isoMicros("'2026-11-20 17:57:51.123456+02'::timestamptz")} AS at`;
    expect(await query(test.db.pool, text)).to.deep.equal([{ at: '2026-11-20T15:57:51.123456Z' }]);
  });

  it('survives a connection that breaks as it is handed out', async () => {
    const thrown = await new Promise((resolve) => {
      test.db.pool.connect((_error, client, release) => {
        try {
          // where TypeORM has not begun to listen
          client?.emit('error', new Error('terminating connection due to administrator command'));
          resolve(undefined);
        } catch (error) {
          resolve(error);
        }
        release();
      });
    });
    expect(thrown).to.equal(undefined);
    await test.db.checkWritable();
  });

  it('works again after its connections were cut', async () => {
    await query(
      test.db.pool,
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    );
    await test.db.checkWritable();
  });
});

describe('a database that stops responding without closing a socket', () => {
  it('fails queries within seconds, and is used again as soon as it responds', async function () {
    this.timeout(30_000);
    const test = await testDatabase([]);
    const proxy = await startFaultProxy({ targetPort: Number(new URL(test.url).port) });
    const url = new URL(test.url);
    url.port = String(proxy.port);
    const telemetry = createTelemetry({ service: 'test', stream: silent() });
    const db = await createDatabase({ url: url.href, poolSize: 4, applicationName: 'test', telemetry });
    try {
      // several connections: otherwise each would have to detect the failure separately
      await Promise.all([1, 2, 3, 4].map(async () => await query(db.pool, 'SELECT pg_sleep(0.05)')));
      proxy.set({ kind: 'half_open' });
      const began = performance.now();
      await failureOf(db.transaction(async (tx) => await query(tx, 'SELECT 1')));
      expect(performance.now() - began).to.be.below(10_000);
      proxy.heal();
      const healed = performance.now();
      await Promise.all([1, 2, 3, 4].map(async () => await db.checkWritable()));
      expect(performance.now() - healed).to.be.below(2_000);
    } finally {
      await db.close();
      await proxy.stop();
      await test.drop();
    }
  });
});
