import { randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';
import { expect } from 'chai';
import { copyDatabase, dropDatabase } from '@taskwire/process-supervisor';
import { createTelemetry } from '@taskwire/telemetry';
import { fromRunner, testDatabase, type TestDatabase } from '@taskwire/testing';
import { createDatabase, query, type Database } from '../src/index.ts';

describe('the epoch of a database', () => {
  let test: TestDatabase;
  let copies: string[];

  beforeEach(async () => {
    copies = [];
    test = await testDatabase([]);
  });
  afterEach(async () => {
    for (const database of copies) await dropDatabase(fromRunner('TASKWIRE_TEST_POSTGRES_URL'), { database });
    await test.drop();
  });

  async function within<T>(url: string, use: (db: Database) => Promise<T>, lines: string[] = []): Promise<T> {
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        lines.push(chunk.toString());
        done();
      },
    });
    const telemetry = createTelemetry({ service: 'test', stream });
    const db = await createDatabase({ url, poolSize: 4, applicationName: 'test', telemetry });
    try {
      return await use(db);
    } finally {
      await db.close();
    }
  }

  const epochOf = async (url: string) => await within(url, async (db) => await Promise.resolve(db.sourceEpoch()));

  /** The same data in a database with another identity, as after a restore. */
  async function copied(): Promise<string> {
    await test.db.close();
    const url = new URL(test.url);
    const database = `test_${randomBytes(6).toString('hex')}`;
    copies.push(database);
    await copyDatabase(fromRunner('TASKWIRE_TEST_POSTGRES_URL'), {
      template: url.pathname.slice(1),
      database,
      login: url.username,
    });
    url.pathname = `/${database}`;
    return url.href;
  }

  it('is 1 at first, and stays the same at every later start', async () => {
    for (let start = 0; start < 3; start++)
      expect(await epochOf(test.url)).to.deep.equal({ epoch: 1, published: 1, isUnrecovered: false });
  });

  it('is not copied with a template of test databases', async () => {
    const another = await testDatabase([]);
    try {
      expect(another.db.sourceEpoch()).to.deep.equal({ epoch: 1, published: 1, isUnrecovered: false });
    } finally {
      await another.drop();
    }
  });

  it('is raised once when the database has another identity, although processes start at the same time', async () => {
    const url = await copied();
    const found = await Promise.all(Array.from({ length: 6 }, async () => await epochOf(url)));
    expect(found).to.deep.equal(Array.from({ length: 6 }, () => ({ epoch: 2, published: 1, isUnrecovered: false })));
    expect(await epochOf(url)).to.deep.equal({ epoch: 2, published: 1, isUnrecovered: false });
  });

  it('asks the operator in the log to make the suite consistent', async () => {
    const url = await copied();
    const lines: string[] = [];
    await within(
      url,
      async (db) => {
        await query(db.pool, 'SELECT 1');
      },
      lines,
    );
    expect(lines.join('')).to.include('taskwire restored').and.to.include('"source_epoch":2');
  });

  it('is 1 in a database whose migrations are older, and in one that accepts no writes', async () => {
    const name = new URL(test.url).pathname.slice(1);
    await query(test.db.pool, 'DELETE FROM source_epoch');
    await query(test.db.pool, `ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    expect(await epochOf(test.url)).to.deep.equal({ epoch: 1, published: 1, isUnrecovered: false });
    await query(test.db.pool, 'DROP TABLE source_epoch');
    expect(await epochOf(test.url)).to.deep.equal({ epoch: 1, published: 1, isUnrecovered: false });
  });
});
