import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { freePorts, startPgbouncer, type ManagedProcess } from '@taskwire/process-supervisor';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, testDatabase, type TestDatabase } from '@taskwire/testing';
import { createDatabase, query, type Database } from '../src/index.ts';

describe('a database behind PgBouncer', function () {
  this.timeout(30_000);
  let test: TestDatabase;
  let dir: string;
  let pooler: ManagedProcess | undefined;
  let db: Database | undefined;

  beforeEach(async () => {
    test = await testDatabase([]);
    dir = mkdtempSync(join(tmpdir(), 'taskwire-pgbouncer-'));
  });
  afterEach(async () => {
    await db?.close();
    await pooler?.stop();
    [db, pooler] = [undefined, undefined];
    await test.drop();
    rmSync(dir, { recursive: true, force: true });
  });

  async function behind(poolMode: 'session' | 'transaction' | 'statement', poolSize: number): Promise<Database> {
    const [port = 0] = await freePorts(1);
    pooler = await startPgbouncer({ dir, port, databaseUrl: test.url, poolMode, poolSize });
    const url = new URL(test.url);
    url.port = String(port);
    const telemetry = createTelemetry({ service: 'test', stream: silent() });
    return (db = await createDatabase({ url: url.href, poolSize: 2, applicationName: 'test', telemetry }));
  }

  const failureOf = async (promise: Promise<unknown>): Promise<string> => await promise.then(() => 'none', String);

  it("works in session mode, with the session's settings", async () => {
    const { pool, checkWritable } = await behind('session', 20);
    await checkWritable();
    const [shown] = await query<Record<string, string>>(
      pool,
      `SELECT current_setting('statement_timeout') AS statement, current_setting('DateStyle') AS dates,
         current_setting('idle_in_transaction_session_timeout') AS idle`,
    );
    expect(shown).to.deep.equal({ statement: '5s', dates: 'ISO, MDY', idle: '10s' });
  });

  for (const poolSize of [1, 2, 20]) {
    it(`is not writable in transaction mode, and the error explains why: ${poolSize} connections`, async () => {
      const { checkWritable } = await behind('transaction', poolSize);
      expect(await failureOf(checkWritable())).to.include('a pooler that shares connections between transactions');
    });
  }

  it("is rejected in statement mode with PgBouncer's own error", async () => {
    expect(await failureOf(behind('statement', 20))).to.include('statement pooling mode');
  });

  it('is rejected without waiting when the pooler has too few sessions', async () => {
    expect(await failureOf(behind('session', 3))).to.include('had no connection to give for 5000 ms');
  });
});
