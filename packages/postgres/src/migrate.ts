import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { keyOf, labelOf, readSources, type Migration, type MigrationSource } from './migration-files.ts';
import { isTooNew, readApplied, refuseTooNew, unknownOf } from './migration-status.ts';
import { compareReleases, isRelease, sessionName } from './release.ts';
import { pinSession } from './session.ts';
import { createSourceEpochTable } from './source-epoch.ts';
import { isSqlState, sqlState } from './sql.ts';
import { createProbeTable } from './writable.ts';

/** The name of an applied migration, such as `outbox/0001_outbox`. */
export type Applied = string;

/**
 * One lock for all migrations of a database (the bytes of "taskwire" as a bigint), so that replicas that start at the same time migrate one after the
 * other.
 */
const migrationLock = '8386110886542668389';
/**
 * The lock is polled, because a statement that waits for it would hold a snapshot. CREATE INDEX CONCURRENTLY, run by the holder of the lock, would
 * wait for that snapshot.
 */
const lockPollMs = 100;

/**
 * How long a migration waits for a table that a long transaction uses. Other statements for that table queue behind the migration, so the wait is
 * short and is retried: https://postgres.ai/blog/20210923-zero-downtime-postgres-schema-migrations-lock-timeout-and-retries
 */
const lockWaitMs = 1_000;
/** Between two attempts, queued statements proceed. With these values, a migration fails after about two minutes. */
const lockPauseMs = 1_000;
const lockTries = 60;

/**
 * The pause after each batch of a backfill, as a multiple of the batch's duration: with 1, the migration takes at most half of the database's time.
 */
const backfillDuty = 1;

const createMigrationsTable = `
  CREATE TABLE IF NOT EXISTS schema_migrations (
    source      text        NOT NULL,
    version     integer     NOT NULL,
    name        text        NOT NULL,
    checksum    text        NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now(),
    min_version text        NOT NULL DEFAULT '0.1.0',
    PRIMARY KEY (source, version)
  );
  ALTER TABLE schema_migrations ADD COLUMN IF NOT EXISTS min_version text NOT NULL DEFAULT '0.1.0'`;

/** The statements that create the tables of this package. */
export const ownTables: readonly string[] = [createMigrationsTable, createProbeTable, createSourceEpochTable];

/**
 * Migrates a database forward to this build and returns the applied migrations. Safe to call from several processes at once, and while services of
 * this release or the previous one are running: each file declares the oldest release that works with its result (`min_version`, ADR 36). Blocks
 * other statements for at most a second at a time. An interrupted file runs again. Migrations are forward-only:
 * https://martinfowler.com/articles/evodb.html
 * @throws if a file was changed after it ran, if the database is too new for this release, or while a process is connected whose release cannot work
 * with the result of a pending file.
 */
export async function migrate(url: string, sources: readonly MigrationSource[]): Promise<Applied[]> {
  const client = new pg.Client({ connectionString: url, application_name: sessionName('taskwire migrate') });
  await client.connect();
  try {
    await pinSession(client);
    await lock(client);
    for (const create of ownTables) await client.query(create);
    const known = await readSources(sources);
    const applied = await readApplied(client);
    refuseTooNew(unknownOf(known, applied).filter(isTooNew).map(labelOf));
    const done: Applied[] = [];
    for (const migration of known) {
      const before = applied.get(keyOf(migration));
      if (before === undefined) {
        await refuseOldSessions(client, migration);
        await apply(client, migration);
        done.push(labelOf(migration));
      } else if (before.checksum !== migration.checksum) {
        throw new Error(
          `${labelOf(migration)} was changed after it ran; undo the change and add a new migration instead`,
        );
      }
    }
    return done;
  } finally {
    await client.end();
  }
}

async function lock(client: pg.Client): Promise<void> {
  const attempt = async () =>
    (await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1::bigint) AS locked', [migrationLock]))
      .rows[0]?.locked === true;
  while (!(await attempt())) await delay(lockPollMs);
}

/** Services check the schema only when they start, so processes that are already running are detected by their sessions. */
async function refuseOldSessions(client: pg.Client, migration: Migration): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT DISTINCT application_name AS name FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'taskwire %' ORDER BY 1`,
  );
  const old = rows.map(({ name }) => name).filter((name) => compareReleases(releaseOf(name), migration.minVersion) < 0);
  if (old.length === 0) return;
  throw new Error(
    `${labelOf(migration)} needs every process to have release ${migration.minVersion} or later, but there are older sessions: ${old.join(', ')}; stop those processes and migrate again`,
  );
}

/** Returns the release in the name of a session. Sessions of the first release contain none. */
function releaseOf(session: string): string {
  const last = session.split(' ').at(-1) ?? '';
  return isRelease(last) ? last : '0.1.0';
}

async function apply(client: pg.Client, migration: Migration): Promise<void> {
  switch (migration.mode) {
    case 'transaction':
      return await retried(client, migration, migration.sql);
    case 'outside transaction':
      return await applyOutsideTransaction(client, migration);
    case 'backfill':
      return await backfill(client, migration);
  }
}

async function retried(client: pg.Client, migration: Migration, sql: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await inTransaction(client, async () => {
        await client.query(sql);
        await record(client, migration);
      });
    } catch (error) {
      if (!isSqlState(error, sqlState.lockNotAvailable) || tries === lockTries) {
        throw new Error(`${labelOf(migration)} failed and was rolled back`, { cause: error });
      }
      await delay(lockPauseMs);
    }
  }
}

/**
 * Runs one statement that waits for older transactions without blocking other statements, so it has no lock timeout. An interrupted attempt leaves an
 * invalid index, which IF NOT EXISTS would accept; therefore such an index is dropped first.
 */
async function applyOutsideTransaction(client: pg.Client, migration: Migration): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT indexrelid::regclass::text AS name FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
     WHERE NOT indisvalid AND relnamespace = 'public'::regnamespace`,
  );
  for (const { name } of rows) await client.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
  try {
    await client.query(migration.sql);
  } catch (error) {
    throw new Error(`${labelOf(migration)} failed; it runs again from its start`, { cause: error });
  }
  await record(client, migration);
}

/** Repeats the statement, one transaction for each batch, until it changes no row. An interrupted backfill continues with the remaining rows. */
async function backfill(client: pg.Client, migration: Migration): Promise<void> {
  for (let changed = 1; changed > 0;) {
    const began = performance.now();
    try {
      await inTransaction(client, async () => {
        changed = (await client.query(migration.sql)).rowCount ?? 0;
      });
    } catch (error) {
      if (!isSqlState(error, sqlState.lockNotAvailable))
        throw new Error(`${labelOf(migration)} failed; it continues where it ended`, { cause: error });
    }
    if (changed > 0) await delay(backfillDuty * (performance.now() - began));
  }
  await record(client, migration);
}

async function inTransaction(client: pg.Client, work: () => Promise<void>): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(`SET LOCAL lock_timeout = ${lockWaitMs}`);
    await work();
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

async function record(client: pg.Client, { source, version, name, checksum, minVersion }: Migration): Promise<void> {
  await client.query(
    'INSERT INTO schema_migrations (source, version, name, checksum, min_version) VALUES ($1, $2, $3, $4, $5)',
    [source, version, name, checksum, minVersion],
  );
}
