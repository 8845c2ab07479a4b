import pg from 'pg';
import type { Queryable } from './handles.ts';
import { keyOf, labelOf, readSources, type Migration, type MigrationSource } from './migration-files.ts';
import { query } from './query.ts';
import { compareReleases, release } from './release.ts';

/** A row of `schema_migrations`. */
export type AppliedMigration = {
  source: string;
  version: number;
  name: string;
  checksum: string;
  min_version: string;
};

/** The difference between a database and the migrations of this build. */
export type MigrationStatus = {
  /** Migrations of this build that have not been applied to the database. */
  pending: string[];
  /** Applied migrations that this build does not contain, because a newer release applied them. */
  unknown: string[];
  /** The migrations among `unknown` with whose result this release cannot work. */
  tooNew: string[];
};

/** Compares the database with this build, without changing anything. */
export async function migrationStatus(db: Queryable, sources: readonly MigrationSource[]): Promise<MigrationStatus> {
  const known = await readSources(sources);
  const applied = await readApplied(db);
  const unknown = unknownOf(known, applied);
  return {
    pending: known.filter((migration) => !applied.has(keyOf(migration))).map(labelOf),
    unknown: unknown.map(labelOf),
    tooNew: unknown.filter(isTooNew).map(labelOf),
  };
}

/** The readiness check of a service: rejects while migrations are missing. */
export async function requireMigrated(db: Queryable, sources: readonly MigrationSource[]): Promise<void> {
  const { pending } = await migrationStatus(db, sources);
  if (pending.length > 0)
    throw new Error(`the database lacks ${pending.join(', ')}; run the service's migrate command`);
}

/**
 * The check before a service starts. Rejects if a newer release has changed the schema so that this release cannot work with it. The release before
 * the newest one always starts, so that a rollback consists of deploying it.
 */
export async function refuseNewerDatabase(db: Queryable, sources: readonly MigrationSource[]): Promise<void> {
  refuseTooNew((await migrationStatus(db, sources)).tooNew);
}

/** @throws an error that names the migrations, if the list is not empty. */
export function refuseTooNew(tooNew: readonly string[]): void {
  if (tooNew.length === 0) return;
  throw new Error(
    `the database is newer than release ${release} can work on: it has ${tooNew.join(', ')}; start a newer release, or restore a backup from before these migrations`,
  );
}

/** Returns the applied migrations that this build does not contain. */
export function unknownOf(
  known: readonly Migration[],
  applied: ReadonlyMap<string, AppliedMigration>,
): AppliedMigration[] {
  const keys = new Set(known.map(keyOf));
  return [...applied.values()].filter((row) => !keys.has(keyOf(row)));
}

export function isTooNew({ min_version: minVersion }: AppliedMigration): boolean {
  return compareReleases(minVersion, release) > 0;
}

/** Reads the applied migrations by their key; none if the database has never been migrated. */
export async function readApplied(db: Queryable | pg.Client): Promise<Map<string, AppliedMigration>> {
  const [table] = await rows<{ exists: boolean }>(db, "SELECT to_regclass('schema_migrations') IS NOT NULL AS exists");
  if (table?.exists !== true) return new Map();
  // read through the row as JSON and not by the column's name, because a database of the first release lacks the column until it is migrated
  const applied = await rows<AppliedMigration>(
    db,
    `SELECT source, version, name, checksum, coalesce(to_jsonb(m) ->> 'min_version', '0.1.0') AS min_version
     FROM schema_migrations m`,
  );
  return new Map(applied.map((row) => [keyOf(row), row]));
}

async function rows<R extends object>(db: Queryable | pg.Client, text: string): Promise<R[]> {
  return db instanceof pg.Client ? (await db.query<R>(text)).rows : await query<R>(db, text);
}
