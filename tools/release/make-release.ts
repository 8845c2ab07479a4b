import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareReleases, isRelease } from '@taskwire/postgres';
import { closeSection } from './changelog.ts';
import { git, lastMigrations, readRecords, recordsFolder, type ReleaseRecord } from './records.ts';

/** The files with exceptions from the gates, each with the member that lists them. Exceptions apply to one release. */
const exceptions = {
  'packages/contracts/accepted-breaks.json': 'breaks',
  'tools/release/migrations/accepted.json': 'faults',
} as const;

/**
 * Makes a release of the repository in `root`, and returns what happened. Everything is checked before the first file is written.
 * @throws an error with the reason and the remedy if the version, the working tree or the changelog is not ready for a release.
 */
export function makeRelease(root: string, args: readonly string[], now: Date): string {
  const [version = '', ...rest] = args;
  if (!isRelease(version) || rest.length > 0)
    throw new Error('usage: npm run release -- <version>, for example npm run release -- 0.2.0');
  const last = readRecords(root).at(-1);
  if (last !== undefined && compareReleases(version, last.version) <= 0)
    throw new Error(`release ${last.version} is recorded; the next one must be above it, and ${version} is not`);
  if (git(root, 'status', '--porcelain') !== '')
    throw new Error('the working tree has changes that are not committed; commit them or put them aside first');
  const date = now.toISOString().slice(0, 10);
  const record: ReleaseRecord = {
    version,
    date,
    commit: git(root, 'rev-parse', 'HEAD').trim(),
    migrations: lastMigrations(root),
  };
  const changelog = closeSection(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'), version, date);

  writeFileSync(join(root, 'CHANGELOG.md'), changelog);
  writeFileSync(join(root, recordsFolder, `${version}.json`), `${JSON.stringify(record, null, 2)}\n`);
  for (const manifest of globSync('{.,packages/*,services/*,tools/*,infra,infra/*,e2e}/package.json', { cwd: root }))
    setVersion(join(root, manifest), version);
  for (const [path, member] of Object.entries(exceptions))
    writeFileSync(join(root, path), `${JSON.stringify({ since: version, [member]: {} }, null, 2)}\n`);
  git(root, 'add', '--all');
  git(root, 'commit', '--quiet', '--message', `Release ${version}`);
  git(root, 'tag', '--annotate', `v${version}`, '--message', `Release ${version}`);
  return `release ${version} is recorded in ${recordsFolder}/${version}.json, committed, and tagged v${version}`;
}

function setVersion(path: string, version: string): void {
  const manifest = readFileSync(path, 'utf8');
  writeFileSync(path, manifest.replace(/^( {2}"version": )"[^"]*"/m, `$1"${version}"`));
}
