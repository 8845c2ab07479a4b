import type { Catalogue } from './catalogue.ts';
import { remedies, type Finding, type Gone, type Judging } from './finding.ts';
import { readHeader } from './header.ts';
import { judgeStatement } from './judge.ts';
import { parseSql, type Statement } from './sql.ts';

export type MigrationFile = { path: string; text: string };

/** The release that must keep running after a new migration, and its schema and sources. */
export type Base = {
  release: string;
  schema: Catalogue;
  knowsValue(value: string): boolean;
  /** Returns the place at which the release's sources name a table or column; undefined if they don't. */
  reads(gone: Gone): string | undefined;
};

/** A fault of a migration. `text` identifies the fault in the list of accepted faults, and contains no line number. */
export type Fault = {
  path: string;
  line: number;
  /** `header`: the file's header is incomplete or contradicts its statements. The other kinds are those of findings. */
  kind: Finding['kind'] | 'header';
  text: string;
  remedy: string;
};

/** A contracting migration must say, in at least two words, why its object is no longer needed. */
const contractReason = /\S+\s+\S+/;

/** Checks the new migrations of one owner, in order. */
export function judgeFiles(files: readonly MigrationFile[], base: Base): Fault[] {
  const added: Judging['added'] = new Map();
  return files.flatMap((file) => judgeFile(file, base, added));
}

function judgeFile({ path, text }: MigrationFile, base: Base, added: Judging['added']): Fault[] {
  const inHeader = ([what, remedy]: [string, string]): Fault => ({ path, line: 1, kind: 'header', text: what, remedy });
  let statements: Statement[];
  try {
    statements = parseSql(text);
  } catch (error) {
    return [inHeader([`is not SQL: ${(error as Error).message}`, 'correct it'])];
  }
  const { minVersion, mode, contract } = readHeader(text);
  const judging: Judging = {
    ...{ base: base.schema, mode, added, dropped: new Map(), unvalidated: new Set() },
    knowsValue: (value) => base.knowsValue(value),
  };
  const findings = [
    ...statements.flatMap((statement) => judgeStatement(statement, judging)),
    ...unreplacedLists(judging, statements),
  ];
  const isContract = contract !== undefined && contractReason.test(contract) && minVersion === base.release;
  return [
    ...headerFaults({ minVersion, contract }, findings, base).map(inHeader),
    ...(mode !== 'transaction' && statements.length > 1
      ? [inHeader([`has ${statements.length} statements, and "mode: ${mode}" runs one`, 'split the file'])]
      : []),
    ...findings
      .flatMap((one) => judgeFinding(one, base, isContract ? 'contract' : 'expansion'))
      .map(({ kind, what, remedy, line }) => ({ path, line, kind, text: what, remedy })),
  ];
}

/**
 * Checks a finding: a contracting migration may remove objects that the release no longer reads, but a statement that blocks the release is never
 * allowed.
 */
function judgeFinding(finding: Finding, base: Base, kindOfFile: 'contract' | 'expansion'): Finding[] {
  const { kind, what, gone } = finding;
  if (kind === 'lock' || kindOfFile === 'expansion') return [finding];
  const place = gone === undefined ? undefined : base.reads(gone);
  if (place === undefined) return [];
  const still = `${what}, which release ${base.release} still names in ${place}`;
  return [{ ...finding, what: still, remedy: 'remove it one release later' }];
}

function headerFaults(
  { minVersion, contract }: { minVersion: string | undefined; contract: string | undefined },
  findings: readonly Finding[],
  { release }: Base,
): [string, string][] {
  const first = `begin the file with "-- min_version: ${release}"`;
  const faults: [string, string][] = [];
  if (minVersion === undefined) faults.push(['has no min_version', first]);
  else if (minVersion !== release)
    faults.push([`has min_version ${minVersion}, and is checked against release ${release} alone`, first]);
  if (contract === undefined) return faults;
  if (!contractReason.test(contract))
    faults.push([`does not say what it removes (contract: ${contract})`, 'name what no longer needs it']);
  if (!findings.some(({ kind }) => kind === 'break'))
    faults.push(['is marked as a contract and removes nothing', 'remove the line "-- contract:"']);
  return faults;
}

/** Returns a finding for each list of values that is dropped but not created again, because the column then accepts any value. */
function unreplacedLists({ dropped }: Judging, statements: readonly Statement[]): Finding[] {
  return [...dropped].map(([key, { table }]) => {
    const [constraint, column] = key.split(' ');
    const what = `drops constraint ${constraint}, so that ${table}.${column} may have values that it cannot read`;
    return { kind: 'break', what, remedy: remedies.readFirst, line: statements[0]?.line ?? 1 };
  });
}
