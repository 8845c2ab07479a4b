import { expect } from 'chai';
import pg from 'pg';
import { createTelemetry, type Telemetry } from '@taskwire/telemetry';
import { silent, testDatabase, waitFor, type TestDatabase } from '@taskwire/testing';
import { createDatabase, query, type Database } from '../src/index.ts';

describe('The metrics of the server behind a pool', () => {
  let test: TestDatabase;
  let db: Database;
  let telemetry: Telemetry;

  before(async () => {
    test = await testDatabase([]);
    telemetry = createTelemetry({ service: 'test', stream: silent() });
    db = await createDatabase({ url: test.url, poolSize: 4, applicationName: 'test', telemetry });
    await query(db.pool, 'CREATE TABLE things (id integer PRIMARY KEY)');
  });
  after(async () => {
    await db.close();
    await test.drop();
  });

  async function values(): Promise<Record<string, number>> {
    const lines = (await telemetry.metrics.metrics()).split('\n').filter((line) => line.startsWith('database_'));
    return Object.fromEntries(lines.map((line) => [line.replace(/[{ ].*/, ''), Number(line.split(' ').at(-1))]));
  }

  it('are the sizes and connections of the server, in the same scrape', async () => {
    const found = await values();
    expect(found).to.have.property('database_up', 1);
    expect(found['database_size_bytes']).to.be.above(1_000_000);
    expect(found['database_server_connections']).to.be.within(1, found['database_server_max_connections'] ?? 0);
    // this server archives nothing, so that it has no backups is intended
    expect(found['database_archive_failing']).to.be.NaN;
    expect(found['database_backup_age_seconds']).to.be.NaN;
  });

  it('are missing while the database accepts no writes, except for the one that says so', async () => {
    const other = new pg.Client({ connectionString: test.url });
    await other.connect();
    await other.query('BEGIN; LOCK TABLE things IN ACCESS EXCLUSIVE MODE');
    try {
      await waitFor(async () => (await values())['database_up'] === 0);
      expect(Object.keys(await values())).to.deep.equal(['database_up']);
    } finally {
      await other.end();
    }
    await waitFor(async () => (await values())['database_up'] === 1);
    expect(await values()).to.have.property('database_size_bytes');
  });
});
