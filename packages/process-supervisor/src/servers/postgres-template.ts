import pg from 'pg';
import { databaseUrl, provisionDatabase, type DatabaseLogin } from './postgres-provision.ts';

/**
 * Creates a database that serves as a template for copies, unless one with that name exists, and fills it with `fill`. Processes that need the same
 * template at the same time wait for the first of them.
 * @param url a superuser's URL
 */
export async function createTemplate(
  url: string,
  template: DatabaseLogin,
  fill: (url: string) => Promise<void>,
): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('select pg_advisory_lock(hashtextextended($1, 0))', [template.database]);
    const { rowCount } = await client.query('select from pg_database where datname = $1', [template.database]);
    if (rowCount) return;
    // filled under a temporary name, so that a database with the template's name is always complete
    const unfinished = `${template.database}_unfinished`;
    const [from, to] = [unfinished, template.database].map((name) => pg.escapeIdentifier(name));
    await client.query(`drop database if exists ${from} with (force)`);
    await provisionDatabase(url, { ...template, database: unfinished });
    await fill(databaseUrl(url, { ...template, database: unfinished }));
    await client.query(`alter database ${from} rename to ${to}`);
  } finally {
    // the end of the session releases the lock
    await client.end();
  }
}

/**
 * Creates a database as a copy of a template to which nothing is connected, in a fraction of the time that the template's migrations take.
 * @param url a superuser's URL
 */
export async function copyDatabase(
  url: string,
  { template, database, login }: { template: string; database: string; login: string },
): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const [name, owner, source] = [database, login, template].map((identifier) => pg.escapeIdentifier(identifier));
    // takes half as long as the default strategy, which also writes every block to the WAL
    await client.query(`create database ${name} owner ${owner} template ${source} strategy file_copy`);
  } finally {
    await client.end();
  }
}
