import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import pg from 'pg';
import { testDatabase, waitFor, type TestDatabase } from '@taskwire/testing';
import {
  migrate,
  migrationStatus,
  query,
  refuseNewerDatabase,
  release,
  requireMigrated,
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

  describe('of a newer release', () => {
    /** Applies a further file, and returns the source of an older build, which does not contain that file. */
    async function applyNewer(sql: string): Promise<MigrationSource> {
      await migrate(test.url, [source]);
      const newer = await mkdtemp(join(tmpdir(), 'taskwire-migrations-'));
      await writeFile(join(newer, '0001_things.sql'), await readFile(join(folder, '0001_things.sql')));
      await writeFile(join(newer, '0002_newer.sql'), sql);
      await migrate(test.url, [{ ...source, directory: pathToFileURL(`${newer}/`) }]);
      await rm(newer, { recursive: true });
      return source;
    }

    it('let this release start, be ready and migrate if they declare that it works on their result', async () => {
      const older = await applyNewer(`-- min_version: ${release}\nALTER TABLE things ADD title text;`);
      await refuseNewerDatabase(test.db.pool, [older]);
      await requireMigrated(test.db.pool, [older]);
      expect(await migrate(test.url, [older])).to.deep.equal([]);
      expect(await migrationStatus(test.db.pool, [older])).to.deep.equal({
        pending: [],
        unknown: ['things/0002_newer'],
        tooNew: [],
      });
    });

    it('refuse a release that is too old for their result, at its start and when it migrates, and name themselves', async () => {
      const older = await applyNewer('-- min_version: 999.0.0\nALTER TABLE things ADD title text;');
      for (const failure of [
        await failureOf(refuseNewerDatabase(test.db.pool, [older])),
        await failureOf(migrate(test.url, [older])),
      ])
        expect(String(failure)).to.contain('newer than release').and.to.contain('things/0002_newer');
      await requireMigrated(test.db.pool, [older]);
    });

    it('wait until no process has a session that is too old for their result', async () => {
      await writeFile(join(folder, '0002_contract.sql'), '-- min_version: 0.2.0\nALTER TABLE things DROP COLUMN id;');
      const sessions = ['taskwire tasks 0.1.9', 'taskwire tasks', 'taskwire tasks 0.2.0', 'psql'];
      const clients = sessions.map((name) => new pg.Client({ connectionString: test.url, application_name: name }));
      await Promise.all(clients.map((client) => client.connect()));
      const [outdated, first, ...others] = clients;
      const refusal = await failureOf(migrate(test.url, [source]));
      expect(String(refusal)).to.contain(
        'needs every process to have release 0.2.0 or later, but there are older sessions: taskwire tasks, taskwire tasks 0.1.9;',
      );
      expect(await query(test.db.pool, 'SELECT id FROM things')).to.deep.equal([]);
      await Promise.all([outdated!.end(), first!.end()]);
      await waitFor(async () => {
        expect(await migrate(test.url, [source])).to.deep.equal(['things/0002_contract']);
        return true;
      });
      await Promise.all(others.map((client) => client.end()));
    });
  });

  describe('outside a transaction', () => {
    const concurrently = `-- mode: outside transaction
      CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS things_title ON things (title);`.replace(/^ +/gm, '');
    const index = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'things_title'::regclass";

    beforeEach(async () => {
      await writeFile(join(folder, '0001_things.sql'), 'CREATE TABLE things (id integer PRIMARY KEY, title text);');
      await writeFile(join(folder, '0002_index.sql'), concurrently);
    });

    it('build an index while writes continue, although other replicas wait to migrate', async () => {
      const all = await Promise.all([1, 2, 3].map(async () => await migrate(test.url, [source])));
      expect(all.flat().toSorted()).to.deep.equal(['things/0001_things', 'things/0002_index']);
      expect(await query(test.db.pool, index)).to.deep.equal([{ indisvalid: true }]);
    });

    it('drop the invalid index of a failed attempt, and build it again', async () => {
      await query(test.db.pool, 'CREATE TABLE things (id integer PRIMARY KEY, title text)');
      await query(test.db.pool, "INSERT INTO things VALUES (1, 'a'), (2, 'a')");
      await writeFile(join(folder, '0001_things.sql'), 'SELECT 1;');
      expect(String(await failureOf(migrate(test.url, [source])))).to.contain('things/0002_index failed');
      expect(await query(test.db.pool, index)).to.deep.equal([{ indisvalid: false }]);
      await query(test.db.pool, 'DELETE FROM things WHERE id = 2');
      expect(await migrate(test.url, [source])).to.deep.equal(['things/0002_index']);
      expect(await query(test.db.pool, index)).to.deep.equal([{ indisvalid: true }]);
    });
  });

  describe('that fill a column in batches', () => {
    const batch = `-- mode: backfill
UPDATE things SET title = 'filled' WHERE id IN (SELECT id FROM things WHERE title IS NULL ORDER BY id LIMIT 10);`;

    beforeEach(async () => {
      await writeFile(join(folder, '0001_things.sql'), 'CREATE TABLE things (id integer PRIMARY KEY, title text);');
      await migrate(test.url, [source]);
      await query(test.db.pool, 'INSERT INTO things SELECT n FROM generate_series(1, 25) n');
    });
    const filled = async () => await query(test.db.pool, "SELECT FROM things WHERE title = 'filled'");

    it('repeat until nothing is left to fill', async () => {
      await writeFile(join(folder, '0002_fill.sql'), batch);
      expect(await migrate(test.url, [source])).to.deep.equal(['things/0002_fill']);
      expect(await filled()).to.have.length(25);
    });

    it('keep the finished batches when they fail, and continue with the rest', async () => {
      await writeFile(join(folder, '0002_fill.sql'), batch);
      await query(test.db.pool, 'ALTER TABLE things ADD CONSTRAINT up_to_15 CHECK (id <= 15 OR title IS NULL)');
      expect(String(await failureOf(migrate(test.url, [source])))).to.contain('continues where it ended');
      expect(await filled()).to.have.length(10);
      await query(test.db.pool, 'ALTER TABLE things DROP CONSTRAINT up_to_15');
      await migrate(test.url, [source]);
      expect(await filled()).to.have.length(25);
    });
  });

  for (const [header, fault] of [
    ['-- min_version: soon', 'min_version is "soon"; it must be a release'],
    ['-- mode: parallel', 'mode is "parallel"; it must be "outside transaction" or "backfill"'],
  ] as const)
    it(`are refused with a header that is wrong, with the name of the file: ${header}`, async () => {
      await writeFile(join(folder, '0001_things.sql'), `${header}\nSELECT 1;`);
      expect(String(await failureOf(migrate(test.url, [source]))))
        .to.contain('things/0001_things.sql')
        .and.to.contain(fault);
    });

  it('fail the readiness check while one is missing', async () => {
    expect(await migrationStatus(test.db.pool, [source])).to.deep.equal({
      pending: ['things/0001_things'],
      unknown: [],
      tooNew: [],
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
