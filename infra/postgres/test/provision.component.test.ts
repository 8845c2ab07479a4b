import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import pg from 'pg';
import { migrate } from '@taskwire/postgres';
import { databaseUrl, dropDatabase, provisionDatabase } from '@taskwire/process-supervisor';
import { fromRunner } from '@taskwire/testing';

const file = readFileSync(new URL('../provision.sql', import.meta.url), 'utf8');
const migrations = [{ name: 'outbox', directory: new URL('../../../packages/outbox/migrations/', import.meta.url) }];
const password = 'secret-of-this-test';
const server = () => fromRunner('TASKWIRE_TEST_POSTGRES_URL');

describe('provision.sql', () => {
  const auth = { database: 'taskwire_auth', login: 'auth', password };
  const owner = { ...auth, login: 'auth_owner' };

  // logins belong to the whole server
  const clean = async () => {
    for (const service of ['auth', 'tasks', 'notifications']) {
      await dropDatabase(server(), { database: `taskwire_${service}`, login: service });
      await query(server(), `drop role if exists ${service}_owner`);
    }
  };
  beforeEach(clean);
  after(clean);

  it('lets the owner migrate, and the service read and write rows, and read sequences, that later migrations create', async () => {
    await provision();
    await migrate(databaseUrl(server(), owner), migrations);
    const service = databaseUrl(server(), auth);
    await query(service, 'insert into write_probe (id, at) values (1, now())');
    await query(service, 'update write_probe set at = now()');
    expect(await query(service, 'select id from write_probe')).to.deep.equal([{ id: 1 }]);
    await query(service, 'delete from write_probe');
    // a list of privileges would check whether any one of them is granted
    expect(
      await query(
        service,
        `select relname, privilege from pg_class, unnest(array['select', 'insert', 'update', 'delete']) as privilege
         where relkind = 'r' and relnamespace = 'public'::regnamespace and not has_table_privilege(pg_class.oid, privilege)`,
      ),
    ).to.deep.equal([]);
    // the relay reads the last number of the outbox
    expect(
      await query(
        service,
        `select relname, privilege from pg_class, unnest(array['usage', 'select']) as privilege
         where relkind = 'S' and relnamespace = 'public'::regnamespace and not has_sequence_privilege(pg_class.oid, privilege)`,
      ),
    ).to.deep.equal([]);
  });

  it('lets the service change no schema, and enter no other database', async () => {
    await provision();
    await migrate(databaseUrl(server(), owner), migrations);
    const service = databaseUrl(server(), auth);
    for (const statement of [
      'create table x (id int)',
      'drop table outbox',
      'alter table outbox add column x int',
      'truncate outbox',
    ]) {
      expect(await refusal(service, statement), statement).to.equal('42501');
    }
    const other = databaseUrl(server(), { ...auth, database: 'taskwire_tasks' });
    expect(await refusal(other, 'select 1')).to.equal('42501');
  });

  it("lets the owner see the release of the service's sessions", async () => {
    await provision();
    const session = new pg.Client({
      connectionString: databaseUrl(server(), auth),
      application_name: 'taskwire auth 0.1.0',
    });
    await session.connect();
    try {
      const seen = await query(
        databaseUrl(server(), owner),
        `select application_name as name from pg_stat_activity where usename = '${auth.login}'`,
      );
      expect(seen).to.deep.equal([{ name: 'taskwire auth 0.1.0' }]);
    } finally {
      await session.end();
    }
  });

  it('takes the schema from a login that owned it, and may run again', async () => {
    await provisionDatabase(server(), auth);
    await migrate(databaseUrl(server(), auth), migrations);
    await provision();
    await provision();
    const service = databaseUrl(server(), auth);
    expect(await refusal(service, 'alter table outbox add column x int')).to.equal('42501');
    expect(await query(service, 'select count(*)::int as rows from outbox')).to.deep.equal([{ rows: 0 }]);
    expect(await migrate(databaseUrl(server(), owner), migrations)).to.deep.equal([]);
  });
});

/** Runs the file as psql does: variables, \\gexec and \\connect. No npm package provides psql. */
async function provision(): Promise<void> {
  const text = file
    .replaceAll(/^--.*$/gm, '')
    .replaceAll(/^\\(set|getenv) .*$/gm, '')
    .replaceAll(/:'\w+'/g, pg.escapeLiteral(password))
    .replaceAll(/ \\gexec$/gm, ';\\gexec;');
  for (const part of text.split(/^\\connect /m)) {
    const [, database, statements = part] = /^(taskwire_\w+)\n([^]*)$/.exec(part) ?? [];
    const url = new URL(server());
    if (database !== undefined) url.pathname = `/${database}`;
    for (const statement of statements.split(';')) await execute(url.href, statement.trim());
  }
}

/** The rows that the next \\gexec executes. */
let lastResult: object[] = [];

async function execute(url: string, statement: string): Promise<void> {
  if (statement === '') return;
  if (statement !== '\\gexec') lastResult = await query(url, statement);
  else for (const row of lastResult) await query(url, String(Object.values(row)[0]));
}

async function query(url: string, statement: string): Promise<object[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<object>(statement)).rows;
  } finally {
    await client.end();
  }
}

/** The SQLSTATE with which the server refuses a statement or the connection for it. */
async function refusal(url: string, statement: string): Promise<unknown> {
  return await query(url, statement).then(
    () => undefined,
    (error: unknown) => (error as { code?: unknown }).code,
  );
}
