import type { ClientBase } from 'pg';

/**
 * What every session has set, whatever ALTER DATABASE, ALTER ROLE, postgresql.conf or the URL say: the code reads times, bytes and
 * intervals as text in these forms, and finds its tables by this path.
 * https://www.postgresql.org/docs/current/runtime-config-client.html
 */
const pinned = {
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  bytea_output: 'hex',
  // times in seconds are read as float8, with all their digits
  extra_float_digits: '1',
  client_encoding: 'UTF8',
  standard_conforming_strings: 'on',
  transform_null_equals: 'off',
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
  search_path: 'public',
} as const;

/** `off` acknowledges changes that a crash of the server loses; every stronger level is the operator's choice. */
const durability = `set_config('synchronous_commit',
  CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)`;

const pin = (settings: Settings): string =>
  `SELECT ${[...Object.entries(settings).map(([name, value]) => `set_config('${name}', '${value}', false)`), durability].join(', ')}`;
const readBack = (settings: Settings): string => `SELECT pg_backend_pid() AS pid,
  ${[...Object.keys(settings), 'synchronous_commit'].map((name) => `current_setting('${name}') AS "${name}"`).join(', ')}`;

/** Settings of PostgreSQL, with their values as it shows them. */
export type Settings = Readonly<Record<string, string>>;

export type Session = {
  /** Whether something between here and the server (a pooler) took the connection over. */
  isProxied: boolean;
};

/**
 * Pins the settings of a new connection, with `more` of the caller's, and reads them back. None of them is a startup parameter, because a pooler
 * refuses those that it does not know, or is told to ignore them.
 * @throws Error that names each setting that did not take, with its value.
 */
export async function pinSession(client: ClientBase, more: Settings = {}): Promise<Session> {
  const settings: Settings = { ...pinned, ...more };
  await client.query(pin(settings));
  const { rows } = await client.query<Record<string, string> & { pid: number }>(readBack(settings));
  const [row] = rows;
  if (row === undefined) throw new Error('PostgreSQL did not say what its settings are');
  const wrong = Object.entries(settings).filter(([name, value]) => row[name] !== value);
  if (row['synchronous_commit'] === 'off') wrong.push(['synchronous_commit', 'on']);
  if (wrong.length > 0) {
    const named = wrong.map(([name, value]) => `${name} is ${JSON.stringify(row[name])} and must be ${value}`);
    throw new Error(`the settings of a database session cannot be pinned: ${named.join('; ')}`);
  }
  return { isProxied: row.pid !== processIdOf(client) };
}

/** The server process that answered when the connection was opened (BackendKeyData); a pooler answers with a number of its own. */
function processIdOf(client: object): unknown {
  return Reflect.get(client, 'processID');
}
