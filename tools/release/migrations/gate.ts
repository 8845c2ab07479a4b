import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { fileOfRelease, filesOfRelease, git, lastRelease, requireCommit, type ReleaseRecord } from '../records.ts';
import { readCatalogue } from './catalogue.ts';
import type { Gone } from './finding.ts';
import { judgeFiles, type Base, type Fault, type MigrationFile } from './judge-file.ts';

const acceptedFile = 'tools/release/migrations/accepted.json';
const acceptedSchema = z.strictObject({
  /** The release for which these faults are accepted; the next release empties the list. */
  since: z.string(),
  /** `<file>: <fault>` and the reason why it breaks nothing. A list is needed, because a migration that has run anywhere cannot be edited. */
  faults: z.record(z.string(), z.string().min(20)),
});

/** The result of the check, with the number of checked migrations. */
export type MigrationResult = { release: string; files: number; faults: string[] };

/**
 * Checks every migration since the last recorded release: that release must be able to start, restart and work with the result.
 * @throws an error with the command that fetches the release's commit, if the clone lacks it: the check must not pass without a comparison.
 */
export function judgeMigrations(root: string): MigrationResult {
  const record = lastRelease(root);
  requireCommit(root, record);
  const owners = ownersIn(root).map((owner) => ({ owner, base: baseOf(root, record, owner) }));
  const judged = owners.map((one) => judgeOwner(root, record, one));
  const canary = canaryFaults(record, owners);
  const faults = judged.flatMap(({ faults: found }) => found);
  const accepted = acceptedSchema.parse(JSON.parse(readFileSync(join(root, acceptedFile), 'utf8')));
  return {
    release: record.version,
    files: judged.reduce((sum, { files }) => sum + files, 0),
    faults: [...canary, ...unaccepted(faults, accepted, record.version)],
  };
}

/** The folders of services and packages that have migrations. */
function ownersIn(root: string): string[] {
  return ['packages', 'services'].flatMap((kind) =>
    readdirSync(join(root, kind))
      .toSorted()
      .map((name) => `${kind}/${name}`)
      .filter((owner) => existsSync(join(root, owner, 'migrations'))),
  );
}

/** An owner of migrations, and the release that its migrations are compared with. */
type Owner = { owner: string; base: Base };

function judgeOwner(root: string, record: ReleaseRecord, { owner, base }: Owner): { files: number; faults: Fault[] } {
  const folder = `${owner}/migrations`;
  const last = Number(record.migrations[owner.split('/')[1] ?? '']?.slice(0, 4) ?? 0);
  const files: MigrationFile[] = readdirSync(join(root, folder))
    .filter((file) => file.endsWith('.sql'))
    .toSorted()
    .map((file) => ({ path: `${folder}/${file}`, text: readFileSync(join(root, folder, file), 'utf8') }));
  const isNew = ({ path }: MigrationFile) => Number(path.slice(folder.length + 1).slice(0, 4)) > last;
  const changed = files.filter((file) => !isNew(file) && fileOfRelease(root, record, file.path) !== file.text);
  const added = files.filter(isNew);
  const edited = changed.map(({ path }): Fault => {
    const text = `was changed after release ${record.version}`;
    return { path, line: 1, kind: 'header', text, remedy: 'undo the change, and add a new migration' };
  });
  return { files: added.length, faults: [...edited, ...judgeFiles(added, base)] };
}

/** Returns the schema and the sources of a release that an owner's migrations may affect. */
function baseOf(root: string, record: ReleaseRecord, owner: string): Base {
  const { version, commit } = record;
  // the tables of a package exist in the databases of several services
  const services = owner.startsWith('services/') ? [owner] : ['services/*'];
  const schemas = filesOfRelease(root, record, 'services')
    .filter((file) => file.endsWith('/schema.sql') && (services[0] === 'services/*' || file.startsWith(`${owner}/`)))
    .map((file) => fileOfRelease(root, record, file) ?? '');
  const sources = [...services, 'packages/*'].map((one) => `:(glob)${one}/src/**`);
  const find = (...args: string[]): string[] => {
    try {
      return git(root, 'grep', ...args, commit, '--', ...sources).split('\n');
    } catch {
      return [];
    }
  };
  return {
    release: version,
    schema: readCatalogue(schemas),
    knowsValue: (value) => find('-l', '-F', '-e', `'${value}'`).length > 0,
    reads: (gone) => placeOf(gone, find)?.slice(commit.length + 1),
  };
}

/** Returns the first place that names the table or, for a column, the first place in a file that also names the column's table. */
function placeOf({ table, column }: Gone, find: (...args: string[]) => string[]): string | undefined {
  const withTable = find('-l', '-w', '-F', '-e', table);
  if (column === undefined) return withTable[0];
  return find('-l', '-w', '-F', '-e', column).find((file) => file !== '' && withTable.includes(file));
}

/** Proves that the check detects a dropped column, and reports nothing for a comment; otherwise it could be passing everything. */
function canaryFaults(record: ReleaseRecord, owners: readonly Owner[]): string[] {
  return owners.flatMap(({ owner, base }) => {
    const [table] = base.schema.tables;
    const column = [...(table?.[1].columns.keys() ?? [])][0];
    const header = `-- min_version: ${record.version}\n`;
    const judge = (text: string) => judgeFiles([{ path: 'canary.sql', text }], base).length;
    const isSighted = judge(`${header}ALTER TABLE ${table?.[0]} DROP COLUMN ${column};`) === 1;
    return isSighted && judge(`${header}COMMENT ON TABLE ${table?.[0]} IS 'a table';`) === 0
      ? []
      : [`The check of ${owner} does not notice that ${table?.[0]}.${column} is dropped; it is blind.`];
  });
}

/** Returns the faults that are not accepted, and entries of the list that accept nothing. */
export function unaccepted(
  faults: readonly Fault[],
  { since, faults: accepted }: z.infer<typeof acceptedSchema>,
  base: string,
): string[] {
  const keyOf = ({ path, text }: Fault) => `${path}: ${text}`;
  const show = (one: Fault) => `${one.path}:${one.line}: ${one.text}; ${one.remedy}`;
  if (since !== base)
    return [
      `${acceptedFile} is for the release after ${since}: remove its entries, and set "since" to ${base}`,
      ...faults.map(show),
    ];
  const keys = new Set(faults.map(keyOf));
  return [
    ...faults.filter((one) => !(keyOf(one) in accepted)).map(show),
    ...Object.keys(accepted)
      .filter((key) => !keys.has(key))
      .map((key) => `${acceptedFile} accepts what does not exist: ${key}`),
  ];
}
