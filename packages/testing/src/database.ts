import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import {
  copyDatabase,
  createTemplate,
  databaseUrl,
  dropDatabase,
  type DatabaseLogin,
} from '@taskwire/process-supervisor';
import {
  createDatabase,
  migrate,
  ownTables,
  type Database,
  type Entity,
  type MigrationSource,
} from '@taskwire/postgres';
import { createTelemetry } from '@taskwire/telemetry';
import { silent } from './silent.ts';
import { fromRunner } from './environment.ts';

export type TestDatabase = {
  /** The URL with the login that owns the database, as in a service's configuration. */
  url: string;
  db: Database;
  /** Closes `db`, terminates any remaining connections, and drops the database. */
  drop(): Promise<void>;
};

/**
 * Creates a fresh migrated database with a random name, on the server started by the test runner: a copy of a template, which is migrated once per
 * server. Databases of the same migrations share a login.
 */
export async function testDatabase(
  sources: readonly MigrationSource[],
  { entities = [] }: { entities?: readonly Entity<object>[] } = {},
): Promise<TestDatabase> {
  const server = fromRunner('TASKWIRE_TEST_POSTGRES_URL');
  const template = await migratedTemplate(server, sources);
  const database = `test_${randomBytes(6).toString('hex')}`;
  await copyDatabase(server, { template: template.database, database, login: template.login });
  const url = databaseUrl(server, { ...template, database });
  const telemetry = createTelemetry({ service: 'test', stream: silent() });
  const db = await createDatabase({ url, poolSize: 10, applicationName: 'test', entities, telemetry });
  return {
    url,
    db,
    async drop() {
      await db.close();
      await dropDatabase(server, { database });
    },
  };
}

const templates = new Map<string, Promise<DatabaseLogin>>();

/** Templates are named after the content of their migrations, so that a server that outlives a run never provides an outdated template. */
async function migratedTemplate(server: string, sources: readonly MigrationSource[]): Promise<DatabaseLogin> {
  const content = createHash('sha256').update(ownTables.join('\n'));
  for (const { name, directory } of sources) {
    for (const file of (await readdir(directory)).sort())
      content.update(`${name}/${file}\n${await readFile(new URL(file, directory), 'utf8')}`);
  }
  const name = `template_${content.digest('hex').slice(0, 16)}`;
  let template = templates.get(name);
  if (template === undefined) {
    template = create();
    templates.set(name, template);
  }
  return await template;

  async function create(): Promise<DatabaseLogin> {
    // the same in every process of the run, and not derivable without the server's password
    const password = createHash('sha256')
      .update(`${name} ${new URL(server).password}`)
      .digest('hex');
    const login = { database: name, login: name, password };
    await createTemplate(server, login, async (url) => void (await migrate(url, sources)));
    return login;
  }
}
