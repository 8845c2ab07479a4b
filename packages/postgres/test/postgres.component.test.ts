import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { startFaultProxy } from '@taskwire/process-supervisor';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, testDatabase, waitFor, type TestDatabase } from '@taskwire/testing';
import {
  createDatabase,
  isoMicros,
  isSqlState,
  migrate,
  migrationStatus,
  query,
  refuseNewerDatabase,
  requireMigrated,
  sqlState,
  type MigrationSource,
} from '../src/index.ts';

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => expect.fail('it succeeded'),
    (error: unknown) => error,
  );
}

describe('migrations', () => {
  let folder: string;
  let test: TestDatabase;
  let source: MigrationSource;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'taskwire-migrations-'));
    source = { name: 'things', directory: pathToFileURL(`${folder}/`) };
    await writeFile(join(folder, '0001_things.sql'), 'CREATE TABLE things (id integer PRIMARY KEY);');
    test = await testDatabase([]);
  });

  afterEach(async () => {
    await test.drop();
    await rm(folder, { recursive: true });
  });

  it('run once, in order, even when replicas start at the same time', async () => {
    await writeFile(join(folder, '0002_more.sql'), 'ALTER TABLE things ADD title text; INSERT INTO things VALUES (1);');
    const all = await Promise.all([1, 2, 3].map(async () => await migrate(test.url, [source])));
    expect(all.flat().toSorted()).to.deep.equal(['things/0001_things', 'things/0002_more']);
    expect(await query(test.db.pool, 'SELECT id FROM things')).to.have.length(1);
  });

  it('roll back a file that fails, and keep the earlier ones', async () => {
    await writeFile(join(folder, '0002_bad.sql'), 'CREATE TABLE half (id integer); SELECT nonsense;');
    expect(String(await failureOf(migrate(test.url, [source])))).to.contain(
      'things/0002_bad failed and was rolled back',
    );
    const tables = await query<{ half: string | null; things: string | null }>(
      test.db.pool,
      "SELECT to_regclass('half')::text AS half, to_regclass('things')::text AS things",
    );
    expect(tables).to.deep.equal([{ half: null, things: 'things' }]);
  });

  it('do not block other statements while they wait for a long transaction', async () => {
    await migrate(test.url, [source]);
    await writeFile(join(folder, '0002_more.sql'), 'ALTER TABLE things ADD title text;');
    const long = await test.db.pool.connect();
    await long.query('BEGIN; SELECT FROM things');
    const migrated = migrate(test.url, [source]);
    const waiting = `SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND query LIKE 'ALTER TABLE things%' AND wait_event_type = 'Lock'`;
    await waitFor(async () => (await query(test.db.pool, waiting)).length > 0);
    // queued for the table behind the migration
    await query(test.db.pool, 'SELECT FROM things');
    await long.query('COMMIT');
    long.release();
    expect(await migrated).to.deep.equal(['things/0002_more']);
  });

  it('reject a file that was changed after it ran', async () => {
    await migrate(test.url, [source]);
    await writeFile(join(folder, '0001_things.sql'), 'CREATE TABLE other (id integer);');
    expect(String(await failureOf(migrate(test.url, [source])))).to.contain('was changed after it ran');
  });

  it('reject a database that is newer than the build', async () => {
    const newer = await mkdtemp(join(tmpdir(), 'taskwire-migrations-'));
    await cp(folder, newer, { recursive: true });
    await writeFile(join(newer, '0002_newer.sql'), 'SELECT 1;');
    await migrate(test.url, [{ ...source, directory: pathToFileURL(`${newer}/`) }]);
    await rm(newer, { recursive: true });
    expect(String(await failureOf(migrate(test.url, [source])))).to.contain('newer than this build');
    expect(String(await failureOf(refuseNewerDatabase(test.db.pool, [source])))).to.contain('things/0002_newer');
    await requireMigrated(test.db.pool, [source]);
  });

  it('fail the readiness check while one is missing', async () => {
    expect(await migrationStatus(test.db.pool, [source])).to.deep.equal({
      pending: ['things/0001_things'],
      unknown: [],
    });
    expect(String(await failureOf(requireMigrated(test.db.pool, [source])))).to.contain('lacks things/0001_things');
    await migrate(test.url, [source]);
    await requireMigrated(test.db.pool, [source]);
  });

  it('must be numbered without gaps', async () => {
    await writeFile(join(folder, '0003_gap.sql'), 'SELECT 1;');
    expect(String(await failureOf(migrate(test.url, [source])))).to.contain(
      '0003_gap.sql must be named 0002_<name>.sql',
    );
  });
});

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
      // several connections, each of which would otherwise have to detect the failure by itself
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
