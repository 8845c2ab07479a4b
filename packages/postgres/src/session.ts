import type { ClientBase } from 'pg';

/**
 * The settings of every session, regardless of ALTER DATABASE, ALTER ROLE, postgresql.conf and the URL. The code reads times, bytes and intervals as
 * text in these formats, and finds its tables by this path. https://www.postgresql.org/docs/current/runtime-config-client.html
 */
const pinned = {
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  bytea_output: 'hex',
  // the code reads times in seconds as float8, with all their digits
  extra_float_digits: '1',
  client_encoding: 'UTF8',
  standard_conforming_strings: 'on',
  transform_null_equals: 'off',
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
  search_path: 'public',
} as const;

/** With `off`, acknowledged changes can be lost in a crash of the server. The operator may choose any stronger level. */
const durability = `set_config('synchronous_commit',
  CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)`;

const pin = (settings: Settings): string =>
  `SELECT ${[...Object.entries(settings).map(([name, value]) => `set_config('${name}', '${value}', false)`), durability].join(', ')}`;
const readBack = (settings: Settings): string => `SELECT pg_backend_pid() AS pid,
  ${[...Object.keys(settings), 'synchronous_commit'].map((name) => `current_setting('${name}') AS "${name}"`).join(', ')}`;

/** Settings of PostgreSQL, with their values as PostgreSQL displays them. */
export type Settings = Readonly<Record<string, string>>;

export type Session = {
  /** Whether an intermediary (a pooler) accepted the connection instead of the server. */
  isProxied: boolean;
};

/**
 * Pins the settings of a new connection, with `more` from the caller, and reads them back. None of the settings is a startup parameter, because a
 * pooler refuses unknown startup parameters, or ignores them if it is configured to.
 * @throws Error that names each setting that did not take effect, with its value.
 */
export async function pinSession(client: ClientBase, more: Settings = {}): Promise<Session> {
  const settings: Settings = { ...pinned, ...more };
  await client.query(pin(settings));
  const { rows } = await client.query<Record<string, string> & { pid: number }>(readBack(settings));
  const [row] = rows;
  if (row === undefined) throw new Error('PostgreSQL returned no settings');
  const wrong = Object.entries(settings).filter(([name, value]) => row[name] !== value);
  if (row['synchronous_commit'] === 'off') wrong.push(['synchronous_commit', 'on']);
  if (wrong.length > 0) {
    const named = wrong.map(([name, value]) => `${name} is ${JSON.stringify(row[name])} and must be ${value}`);
    throw new Error(`the settings of a database session cannot be pinned: ${named.join('; ')}`);
  }
  return { isProxied: row.pid !== processIdOf(client) };
}

/** Returns the server process that responded when the connection was opened (BackendKeyData). Behind a pooler, this is the pooler's own number. */
function processIdOf(client: object): unknown {
  return Reflect.get(client, 'processID');
}
