import type { Database } from './handles.ts';
import { query } from './query.ts';

/** The row of `source_epoch`, for commands that make the suite consistent after a restore. */
export type StoredEpoch = {
  epoch: number;
  /** The last epoch in which the suite was consistent. */
  consistent: number;
  /** When the current epoch began; ISO 8601 with microseconds. */
  raisedAt: string;
};

const readStored = `
  SELECT epoch, consistent_epoch AS consistent,
    to_char(raised_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "raisedAt"
  FROM source_epoch`;

/** Reads the row that the connection of `db` has written or found. */
export async function readStoredEpoch(db: Pick<Database, 'pool'>): Promise<StoredEpoch> {
  const [stored] = await query<StoredEpoch>(db.pool, readStored);
  if (stored === undefined) throw new Error('the database has no epoch; run its migrations, then this command again');
  return stored;
}

/**
 * Raises the epoch for a database whose restore is not visible in its identity, such as a dump that was loaded into the same database, or for a
 * database whose copies have a higher epoch.
 */
export async function raiseEpochAbove(db: Pick<Database, 'pool'>, floor: number): Promise<StoredEpoch> {
  await query(
    db.pool,
    'UPDATE source_epoch SET epoch = greatest(epoch, $1::integer) + 1, raised_at = clock_timestamp()',
    [floor],
  );
  return await readStoredEpoch(db);
}

const closeOthers = `
  SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
    AND application_name LIKE 'taskwire %'`;

/**
 * Makes the current epoch the one that is sent to other services. Closes the connections of the service's running processes, which read the epoch
 * again when they reconnect, and the other connections of the caller's own pool.
 */
export async function publishEpoch(db: Pick<Database, 'pool'>): Promise<void> {
  await query(db.pool, 'UPDATE source_epoch SET consistent_epoch = epoch, is_restored = false');
  await query(db.pool, closeOthers);
}

const findSessions = `
  SELECT DISTINCT application_name AS name FROM pg_stat_activity
  WHERE datname = current_database() AND application_name LIKE $1 AND application_name NOT LIKE 'taskwire % command %' ORDER BY 1`;

/** Returns the names of the sessions that processes of a service have in its database. */
export async function sessionsOf(db: Pick<Database, 'pool'>, service: string): Promise<string[]> {
  return (await query<{ name: string }>(db.pool, findSessions, [`taskwire ${service}%`])).map(({ name }) => name);
}
