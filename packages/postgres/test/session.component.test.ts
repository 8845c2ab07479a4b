import { expect } from 'chai';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, testDatabase, type TestDatabase } from '@taskwire/testing';
import { createDatabase, migrate, query, type Database } from '../src/index.ts';

/** Settings that an operator, a template or a hosting company may have made, under which the code would misread values. */
const foreign: Record<string, string> = {
  DateStyle: "'SQL, DMY'",
  IntervalStyle: "'iso_8601'",
  TimeZone: "'Asia/Kathmandu'",
  bytea_output: "'escape'",
  extra_float_digits: '-15',
  standard_conforming_strings: 'off',
  transform_null_equals: 'on',
  default_transaction_isolation: "'serializable'",
  search_path: "'pg_catalog'",
  synchronous_commit: 'off',
};

describe('the settings of a database session', () => {
  let test: TestDatabase;

  beforeEach(async () => {
    test = await testDatabase([]);
  });
  afterEach(async () => await test.drop());

  async function within<T>(use: (db: Database) => Promise<T>): Promise<T> {
    const telemetry = createTelemetry({ service: 'test', stream: silent() });
    const db = await createDatabase({ url: test.url, poolSize: 2, applicationName: 'test', telemetry });
    try {
      return await use(db);
    } finally {
      await db.close();
    }
  }

  async function alter(settings: Record<string, string>): Promise<void> {
    const name = new URL(test.url).pathname.slice(1);
    for (const [setting, value] of Object.entries(settings)) {
      await query(test.db.pool, `ALTER DATABASE ${name} SET ${setting} = ${value}`);
    }
  }

  for (const [name, value] of Object.entries(foreign)) {
    it(`are pinned when the database sets ${name} = ${value}`, async () => {
      await alter({ [name]: value });
      const read = `SELECT current_setting('${name}') AS value`;
      const shown = await within(async (db) => await query<{ value: string }>(db.pool, read));
      const ours = await query<{ value: string }>(test.db.pool, read);
      expect(shown).to.deep.equal(ours);
    });
  }

  it('are pinned when the URL requests others', async () => {
    const url = new URL(test.url);
    url.searchParams.set('options', '-c DateStyle=German -c TimeZone=Asia/Kathmandu');
    const telemetry = createTelemetry({ service: 'test', stream: silent() });
    const db = await createDatabase({ url: url.href, poolSize: 2, applicationName: 'test', telemetry });
    const at = await query(db.pool, "SELECT '2026-02-01T12:00:00Z'::timestamptz AS at");
    await db.close();
    expect(at).to.deep.equal([{ at: new Date('2026-02-01T12:00:00Z') }]);
  });

  it('are pinned in migrations too, so that tables are created in the expected schema', async () => {
    await query(test.db.pool, 'CREATE SCHEMA elsewhere');
    await query(test.db.pool, 'DROP TABLE schema_migrations');
    await alter({ search_path: "'elsewhere'" });
    await migrate(test.url, []);
    expect(
      await query(test.db.pool, "SELECT to_regclass('public.schema_migrations') IS NOT NULL AS found"),
    ).to.deep.equal([{ found: true }]);
  });

  it('return instants, intervals and bytes as they were stored', async () => {
    await alter(foreign);
    const rows = await within(
      async (db) =>
        await query(db.pool, {
          text: `SELECT $1::timestamptz AS at, $2::bytea AS bytes, extract(epoch FROM $1::timestamptz)::float8 AS seconds`,
          values: ['2026-02-01T12:00:00.123Z', Buffer.from([0, 255, 92])],
        }),
    );
    const at = new Date('2026-02-01T12:00:00.123Z');
    expect(rows).to.deep.equal([{ at, bytes: Buffer.from([0, 255, 92]), seconds: at.getTime() / 1000 }]);
  });
});
