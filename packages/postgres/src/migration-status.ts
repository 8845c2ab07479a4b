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
  /** Migrations that this build knows and the database lacks. */
  pending: string[];
  /** Migrations that the database has and this build does not know, because a newer release applied them. */
  unknown: string[];
  /** Those of `unknown` whose result this release cannot work on. */
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
 * The check before a service starts. Rejects if a newer release has changed the schema in a way that this one cannot work on. The release before the
 * newest one always starts, so that rolling back is deploying it.
 */
export async function refuseNewerDatabase(db: Queryable, sources: readonly MigrationSource[]): Promise<void> {
  refuseTooNew((await migrationStatus(db, sources)).tooNew);
}

/** @throws if the list is not empty, with its migrations. */
export function refuseTooNew(tooNew: readonly string[]): void {
  if (tooNew.length === 0) return;
  throw new Error(
    `the database is newer than release ${release} can work on: it has ${tooNew.join(', ')}; start a newer release, or restore a backup from before these migrations`,
  );
}

/** The applied migrations that this build does not know. */
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
  // not by the column's name, because a database of the first release has none until it is migrated
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
