import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { Queryable } from './handles.ts';
import { query } from './query.ts';
import { pinSession } from './session.ts';
import { isSqlState, sqlState } from './sql.ts';
import { createProbeTable } from './writable.ts';

/**
 * The migrations of one owner (a service, or a package with its own tables): files `NNNN_name.sql` in a directory, numbered from 0001 without gaps.
 */
export type MigrationSource = { name: string; directory: URL };

type Migration = { source: string; version: number; name: string; sql: string; checksum: string };

/** The name of an applied migration, such as `outbox/0001_outbox`. */
export type Applied = string;

/** The difference between a database and the migrations of this build. */
export type MigrationStatus = {
  /** Migrations that this build knows and the database lacks. */
  pending: string[];
  /** Migrations that the database has and this build does not know: the database is newer, and this build must not run on it. */
  unknown: string[];
};

/** One lock for all migrations of a database (the bytes of "taskwire" as a bigint), so that replicas that start at the same time take turns. */
const migrationLock = '8386110886542668389';

/**
 * How long a migration waits for a table that a long transaction uses. Other statements for that table queue behind the migration, so the wait is
 * short and is retried: https://postgres.ai/blog/20210923-zero-downtime-postgres-schema-migrations-lock-timeout-and-retries
 */
const lockWaitMs = 1_000;
/** Statements that queued proceed between two attempts. With this many attempts, a migration fails after about two minutes. */
const lockPauseMs = 1_000;
const lockTries = 60;

const createTable = `
  CREATE TABLE IF NOT EXISTS schema_migrations (
    source     text        NOT NULL,
    version    integer     NOT NULL,
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, version)
  )`;

/**
 * Migrates a database forward to this build, with one transaction per file, and returns the applied migrations. Safe to call from several processes
 * at once, and while a service is running: it blocks others for at most a second at a time. Migrations are forward-only:
 * https://martinfowler.com/articles/evodb.html
 * @throws if a file was changed after it ran, or if the database is newer than this build.
 */
export async function migrate(url: string, sources: readonly MigrationSource[]): Promise<Applied[]> {
  const client = new pg.Client({ connectionString: url, application_name: 'taskwire migrate' });
  await client.connect();
  try {
    await pinSession(client);
    await client.query('SELECT pg_advisory_lock($1::bigint)', [migrationLock]);
    await client.query(createTable);
    await client.query(createProbeTable);
    const known = await readSources(sources);
    const applied = await readApplied(client);
    refuseNewer(unknownOf(known, applied));
    const done: Applied[] = [];
    for (const migration of known) {
      const before = applied.get(key(migration));
      if (before === undefined) {
        await apply(client, migration);
        done.push(label(migration));
      } else if (before.checksum !== migration.checksum) {
        throw new Error(
          `${label(migration)} was changed after it ran; undo the change and add a new migration instead`,
        );
      }
    }
    return done;
  } finally {
    await client.end();
  }
}

/** Compares the database with this build, without changing anything. */
export async function migrationStatus(db: Queryable, sources: readonly MigrationSource[]): Promise<MigrationStatus> {
  const known = await readSources(sources);
  const applied = await readApplied(db);
  return {
    pending: known.filter((migration) => !applied.has(key(migration))).map(label),
    unknown: unknownOf(known, applied),
  };
}

/** The readiness check of a service: rejects while migrations are missing. */
export async function requireMigrated(db: Queryable, sources: readonly MigrationSource[]): Promise<void> {
  const { pending } = await migrationStatus(db, sources);
  if (pending.length > 0)
    throw new Error(`the database lacks ${pending.join(', ')}; run the service's migrate command`);
}

/**
 * The check before a service starts. Rejects if the database is newer than this build, since this build may misread a newer schema. Not for
 * readiness: replicas of the previous version continue to work while a deploy migrates their database.
 */
export async function refuseNewerDatabase(db: Queryable, sources: readonly MigrationSource[]): Promise<void> {
  refuseNewer((await migrationStatus(db, sources)).unknown);
}

function refuseNewer(unknown: string[]): void {
  if (unknown.length > 0) throw new Error(`the database is newer than this build: it has ${unknown.join(', ')}`);
}

async function apply(client: pg.Client, migration: Migration): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await tryApplying(client, migration);
    } catch (error) {
      if (!isSqlState(error, sqlState.lockNotAvailable) || tries === lockTries) {
        throw new Error(`${label(migration)} failed and was rolled back`, { cause: error });
      }
      await delay(lockPauseMs);
    }
  }
}

async function tryApplying(client: pg.Client, migration: Migration): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(`SET LOCAL lock_timeout = ${lockWaitMs}`);
    await client.query(migration.sql);
    await client.query('INSERT INTO schema_migrations (source, version, name, checksum) VALUES ($1, $2, $3, $4)', [
      migration.source,
      migration.version,
      migration.name,
      migration.checksum,
    ]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

type AppliedRow = { source: string; version: number; name: string; checksum: string };

async function readApplied(db: Queryable | pg.Client): Promise<Map<string, AppliedRow>> {
  const [table] = await rows<{ found: boolean }>(db, "SELECT to_regclass('schema_migrations') IS NOT NULL AS found");
  if (table?.found !== true) return new Map();
  const applied = await rows<AppliedRow>(db, 'SELECT source, version, name, checksum FROM schema_migrations');
  return new Map(applied.map((row) => [key(row), row]));
}

async function rows<R extends object>(db: Queryable | pg.Client, text: string): Promise<R[]> {
  return db instanceof pg.Client ? (await db.query<R>(text)).rows : await query<R>(db, text);
}

async function readSources(sources: readonly MigrationSource[]): Promise<Migration[]> {
  return (await Promise.all(sources.map(readSource))).flat();
}

async function readSource({ name: source, directory }: MigrationSource): Promise<Migration[]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.sql')).sort();
  return await Promise.all(
    files.map(async (file, index) => {
      const match = /^(\d{4})_([a-z0-9_]+)\.sql$/.exec(file);
      const version = Number(match?.[1]);
      if (match?.[2] === undefined || version !== index + 1) {
        throw new Error(`${source}: ${file} must be named ${String(index + 1).padStart(4, '0')}_<name>.sql`);
      }
      const sql = await readFile(new URL(file, directory), 'utf8');
      return { source, version, name: match[2], sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

function unknownOf(known: readonly Migration[], applied: Map<string, AppliedRow>): string[] {
  const keys = new Set(known.map(key));
  return [...applied.values()].filter((row) => !keys.has(key(row))).map(label);
}

function key(migration: { source: string; version: number }): string {
  return `${migration.source}/${migration.version}`;
}

function label(migration: { source: string; version: number; name: string }): string {
  return `${migration.source}/${String(migration.version).padStart(4, '0')}_${migration.name}`;
}
