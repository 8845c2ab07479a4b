import { randomBytes } from 'node:crypto';
import { databaseUrl, dropDatabase, provisionDatabase } from '@taskwire/local-servers';
import { createDatabase, migrate, type Database, type MigrationSource } from '@taskwire/postgres';
import { createTelemetry } from '@taskwire/telemetry';
import { silent } from './silent.ts';
import { fromRunner } from './environment.ts';

export type TestDatabase = {
  /** the URL with the login that owns the database, as a service has it */
  url: string;
  db: Database;
  /** Closes `db`, terminates any remaining connections, and drops the database with its login. */
  drop(): Promise<void>;
};

/** Creates a fresh migrated database with a random name and its own login, on the server started by the test runner. */
export async function testDatabase(sources: readonly MigrationSource[]): Promise<TestDatabase> {
  const server = fromRunner('TASKWIRE_TEST_POSTGRES_URL');
  const name = `test_${randomBytes(6).toString('hex')}`;
  const login = { database: name, login: name, password: randomBytes(12).toString('hex') };
  await provisionDatabase(server, login);
  const url = databaseUrl(server, login);
  await migrate(url, sources);
  const telemetry = createTelemetry({ service: 'test', stream: silent() });
  const db = await createDatabase({ url, poolSize: 10, applicationName: 'test', telemetry });
  return {
    url,
    db,
    async drop() {
      await db.close();
      await dropDatabase(server, login);
    },
  };
}
