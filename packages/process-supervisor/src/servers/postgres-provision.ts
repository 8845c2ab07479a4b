import pg from 'pg';

export type DatabaseLogin = { database: string; login: string; password: string };

/**
 * Creates the database and the login that owns it, or sets this password for an existing login. The login owns only that database: it is not a
 * superuser, and cannot create databases or roles. No other login may connect to its database.
 * @param url a superuser's URL
 */
export async function provisionDatabase(url: string, { database, login, password }: DatabaseLogin): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const role = pg.escapeIdentifier(login);
    const options = `login nosuperuser nocreatedb nocreaterole noreplication password ${pg.escapeLiteral(password)}`;
    const { rowCount: hasRole } = await client.query('select from pg_roles where rolname = $1', [login]);
    await client.query(`${hasRole ? 'alter' : 'create'} role ${role} ${options}`);
    const { rowCount: hasDatabase } = await client.query('select from pg_database where datname = $1', [database]);
    const name = pg.escapeIdentifier(database);
    if (!hasDatabase) await client.query(`create database ${name} owner ${role} template template0`);
    await client.query(`revoke all on database ${name} from public`);
  } finally {
    await client.end();
  }
}

/** Terminates the connections to the database, and drops the database, and the login if one is named. */
export async function dropDatabase(
  url: string,
  { database, login }: { database: string; login?: string },
): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`drop database if exists ${pg.escapeIdentifier(database)} with (force)`);
    if (login !== undefined) await client.query(`drop role if exists ${pg.escapeIdentifier(login)}`);
  } finally {
    await client.end();
  }
}

/** The same server's URL for another login and database. */
export function databaseUrl(serverUrl: string, { database, login, password }: DatabaseLogin): string {
  const url = new URL(serverUrl);
  url.username = encodeURIComponent(login);
  url.password = encodeURIComponent(password);
  url.pathname = `/${database}`;
  return url.href;
}
