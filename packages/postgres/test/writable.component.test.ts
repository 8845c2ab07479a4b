import { expect } from 'chai';
import pg from 'pg';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, testDatabase, type TestDatabase } from '@taskwire/testing';
import { createDatabase, query, type Database } from '../src/index.ts';

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => expect.fail('it succeeded'),
    (error: unknown) => error,
  );
}

describe('a database that responds but accepts no writes', () => {
  let test: TestDatabase;
  let db: Database;

  beforeEach(async () => {
    test = await testDatabase([]);
    await query(test.db.pool, 'CREATE TABLE things (id integer PRIMARY KEY)');
    db = await open();
  });
  afterEach(async () => {
    await db.close();
    await test.drop();
  });

  async function open(): Promise<Database> {
    const telemetry = createTelemetry({ service: 'test', stream: silent() });
    return await createDatabase({ url: test.url, poolSize: 4, applicationName: 'test', telemetry });
  }
  const insert = async () => await query(db.pool, 'INSERT INTO things VALUES (1)');
  const name = () => new URL(test.url).pathname.slice(1);

  async function expectUnwritable(reason: string): Promise<void> {
    expect(await failureOf(db.checkWritable()))
      .to.be.an('error')
      .with.property('message')
      .that.contains(reason);
  }

  it('is writable at first, and again after the fault', async () => {
    await db.checkWritable();
    await insert();
  });

  it('is not writable while transactions are read-only, and causes 503', async () => {
    await query(test.db.pool, `ALTER DATABASE ${name()} SET default_transaction_read_only = on`);
    // existing sessions keep their settings
    await db.close();
    db = await open();
    await expectUnwritable('read-only');
    const error = await failureOf(insert());
    expect(error).to.include({ name: 'Problem', code: 'unavailable', status: 503 });
    expect(error).to.have.property('headers').that.deep.includes({ 'Retry-After': '5' });
  });

  it('is not writable while another session locks one of its tables', async () => {
    const holder = new pg.Client({ connectionString: test.url });
    await holder.connect();
    await holder.query('BEGIN');
    await holder.query('LOCK TABLE things IN SHARE MODE');
    await expectUnwritable('lock timeout');
    await holder.query('COMMIT');
    await holder.end();
    await db.checkWritable();
  });

  for (const [what, state] of [
    ['a full disk', '53100'],
    ['too little memory', '53200'],
    ['a broken disk', '58030'],
  ] as const) {
    it(`is not writable after a statement has failed because of ${what}, which a probe of another table cannot detect`, async () => {
      await query(
        test.db.pool,
        `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '${state}'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION refuse()`,
      );
      await db.checkWritable();
      expect(await failureOf(insert())).to.include({ code: 'unavailable' });
      await expectUnwritable('could not extend file');
      expect(
        await failureOf(db.transaction(async (tx) => await query(tx, 'INSERT INTO things VALUES (1)'))),
      ).to.include({
        code: 'unavailable',
      });
    });
  }

  it('causes an immediate 503, not 500, when no connection is left', async () => {
    await query(test.db.pool, `ALTER DATABASE ${name()} CONNECTION LIMIT 0`);
    await query(
      test.db.pool,
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    );
    const error = await failureOf(insert());
    expect(error).to.include({ code: 'unavailable' });
    expect(await failureOf(open())).to.be.an('error');
  });
});
