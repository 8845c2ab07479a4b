import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { isRelease } from './release.ts';

/**
 * The migrations of one owner (a service, or a package with its own tables): files `NNNN_name.sql` in a directory, numbered from 0001 without gaps.
 */
export type MigrationSource = { name: string; directory: URL };

/**
 * How a file runs. `transaction`: the file runs in one transaction, with a short lock timeout and retries. `outside transaction`: a single statement
 * that cannot run in a transaction, such as CREATE INDEX CONCURRENTLY. `backfill`: a single statement that changes one batch of rows, repeated until
 * it changes none.
 */
export type MigrationMode = 'transaction' | 'outside transaction' | 'backfill';

export type Migration = {
  source: string;
  version: number;
  name: string;
  sql: string;
  checksum: string;
  /** The oldest release that works with the migrated schema, and with the data that the newer release writes. */
  minVersion: string;
  mode: MigrationMode;
};

/** The `min_version` of files without a header. They predate the header, and adding one would change their checksums. */
const firstRelease = '0.1.0';

/** Reads the migrations of each source, in order. @throws an error with the file and the remedy if a name or a header is invalid. */
export async function readSources(sources: readonly MigrationSource[]): Promise<Migration[]> {
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
      const checksum = createHash('sha256').update(sql).digest('hex');
      return { source, version, name: match[2], sql, checksum, ...readHeader(sql, `${source}/${file}`) };
    }),
  );
}

/** Reads `-- min_version: 0.1.0` and `-- mode: …` from the comment lines at the top of a file. */
function readHeader(sql: string, file: string): Pick<Migration, 'minVersion' | 'mode'> {
  const header = { minVersion: firstRelease, mode: 'transaction' as MigrationMode };
  for (const line of sql.split('\n')) {
    if (!line.startsWith('--')) break;
    const [, key, value = ''] = /^-- (min_version|mode): *(.*?) *$/.exec(line) ?? [];
    if (key === 'min_version') {
      if (!isRelease(value)) throw new Error(`${file}: min_version is "${value}"; it must be a release, such as 0.1.0`);
      header.minVersion = value;
    }
    if (key === 'mode') header.mode = modeOf(value, file);
  }
  return header;
}

function modeOf(value: string, file: string): MigrationMode {
  if (value === 'outside transaction' || value === 'backfill') return value;
  throw new Error(`${file}: mode is "${value}"; it must be "outside transaction" or "backfill", or be left out`);
}

/** Returns the identity of a migration, regardless of its name. */
export function keyOf({ source, version }: { source: string; version: number }): string {
  return `${source}/${version}`;
}

/** Returns the name of a migration for messages, such as `outbox/0001_outbox`. */
export function labelOf({ source, version, name }: { source: string; version: number; name: string }): string {
  return `${source}/${String(version).padStart(4, '0')}_${name}`;
}
