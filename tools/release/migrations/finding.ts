import type { Catalogue } from './catalogue.ts';

/**
 * A statement that is incompatible with a running release. `break`: it removes or changes something that the release reads or relies on, so a
 * contracting migration is needed. `lock`: it blocks the release's statements for a long time, which no header excuses.
 */
export type Finding = { kind: 'break' | 'lock'; what: string; remedy: string; line: number; gone?: Gone };

/** A table or column that the sources of a release may no longer name. */
export type Gone = { table: string; column?: string };

/** The state of the rules while they check the statements of an owner, file by file. */
export type Judging = {
  /** The schema of the last release. It excludes objects created by later migrations, which may change these freely. */
  base: Catalogue;
  /** Whether the sources of the last release contain a value. */
  knowsValue(value: string): boolean;
  mode: string;
  /** Value lists that this file has dropped and must create again, by constraint. */
  dropped: Map<string, { table: string; values: string[] }>;
  /** Columns that this or an earlier new migration adds to a table of the base, and whether they have a default. */
  added: Map<string, { hasDefault: boolean }>;
  /** Constraints that this file adds, which must be validated in a later file. */
  unvalidated: Set<string>;
};

type Report = (what: string, remedy: string, gone?: Gone) => Finding;

/** Makes findings at a line. */
export function reporter(line: number): { breaks: Report; locks: Report } {
  const make =
    (kind: Finding['kind']): Report =>
    (what, remedy, gone) => ({ kind, what, remedy, line, ...(gone && { gone }) });
  return { breaks: make('break'), locks: make('lock') };
}

/** Remedies that several rules share. */
export const remedies = {
  contract:
    'do it one release after the code that needs it is gone, in a file with `-- contract: <what no longer needs it>`, whose min_version is a recorded release',
  notValid: 'add it with NOT VALID, and validate it in a file of its own',
  concurrently: 'use CONCURRENTLY, in a file of its own with `-- mode: outside transaction`',
  backfill: 'change a batch of rows at a time, with LIMIT, in a file with `-- mode: backfill`',
  readFirst: 'teach a release to read it before the release that writes it',
} as const;
