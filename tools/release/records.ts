import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { compareReleases, isRelease } from '@taskwire/postgres';

const release = z.string().refine(isRelease, 'must be a release, such as 0.2.0');

const recordSchema = z.strictObject({
  version: release,
  date: z.iso.date(),
  /** The commit whose files form the release, except for the record, the changelog's heading and the versions in the manifests. */
  commit: z.string().regex(/^[0-9a-f]{40}$/, 'must be the 40 hexadecimal digits of a commit'),
  /** The last migration of each owner: a service, or a package with its own tables. */
  migrations: z.record(z.string(), z.string().regex(/^\d{4}_[a-z0-9_]+$/)),
});

/** A recorded release, as in `releases/<version>.json`. */
export type ReleaseRecord = z.infer<typeof recordSchema>;

/** The folder of the records, relative to the repository. */
export const recordsFolder = 'releases';

/**
 * Reads all records, the oldest release first. @throws an error that names the file, if a record is invalid, or if its version differs from its name.
 */
export function readRecords(root: string): ReleaseRecord[] {
  const files = readdirSync(join(root, recordsFolder)).filter((file) => file.endsWith('.json'));
  return files
    .map((file) => {
      const path = `${recordsFolder}/${file}`;
      const { data, error } = recordSchema.safeParse(JSON.parse(readFileSync(join(root, path), 'utf8')));
      if (error !== undefined) throw new Error(`${path}: ${z.prettifyError(error)}`);
      if (file !== `${data.version}.json`) throw new Error(`${path} records release ${data.version}`);
      return data;
    })
    .toSorted((a, b) => compareReleases(a.version, b.version));
}

/** Returns the last recorded release. @throws if none is recorded, because a check must not pass without a comparison. */
export function lastRelease(root: string): ReleaseRecord {
  const last = readRecords(root).at(-1);
  if (last === undefined) throw new Error(`${recordsFolder}/ records no release to compare with`);
  return last;
}

/** Reads a file of a release from git. Returns undefined if the release has no such file. @throws if the clone lacks the commit. */
export function fileOfRelease(
  root: string,
  { version, commit }: Pick<ReleaseRecord, 'version' | 'commit'>,
  path: string,
): string | undefined {
  requireCommit(root, { version, commit });
  try {
    return gitOnce(root, 'show', `${commit}:${path}`);
  } catch {
    return undefined;
  }
}

/** Lists the files of a release under a folder. @throws if the clone lacks the commit. */
export function filesOfRelease(
  root: string,
  { version, commit }: Pick<ReleaseRecord, 'version' | 'commit'>,
  folder: string,
): string[] {
  requireCommit(root, { version, commit });
  return gitOnce(root, 'ls-tree', '-r', '--name-only', commit, folder).split('\n').filter(Boolean);
}

/** @throws an error with the command that fetches the commit of a release, if the clone lacks it. */
export function requireCommit(root: string, { version, commit }: Pick<ReleaseRecord, 'version' | 'commit'>): void {
  try {
    gitOnce(root, 'cat-file', '-e', `${commit}^{commit}`);
  } catch {
    throw new Error(
      `this clone lacks commit ${commit} of release ${version}; fetch it with: git fetch --unshallow, or git fetch origin ${commit}`,
    );
  }
}

/** Runs git in the repository and returns its output. */
export function git(root: string, ...args: string[]): string {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

const outputs = new Map<string, string>();

/** Runs git and keeps its output, for commands that only read a commit, which never changes. A start of git takes longer than what it does. */
function gitOnce(root: string, ...args: string[]): string {
  const key = JSON.stringify([root, ...args]);
  const output = outputs.get(key) ?? git(root, ...args);
  outputs.set(key, output);
  return output;
}

/** Returns the last migration of each owner in the working tree, for the record. */
export function lastMigrations(root: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const kind of ['packages', 'services']) {
    for (const owner of readdirSync(join(root, kind)).toSorted()) {
      const last = sqlFilesIn(join(root, kind, owner, 'migrations')).at(-1);
      if (last !== undefined) found[owner] = last.replace(/\.sql$/, '');
    }
  }
  return found;
}

function sqlFilesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((file) => file.endsWith('.sql'))
      .toSorted();
  } catch {
    return [];
  }
}
