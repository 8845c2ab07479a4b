import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadModule, parseSync } from 'libpg-query';
import { root } from './step.ts';

const remedy =
  'list its result columns: after ADD COLUMN, a process of the previous release could no longer run it (0A000)';

/**
 * The prepared statements whose result columns are `*`. PostgreSQL refuses to run a statement whose result has changed since it was prepared, so every
 * process that is already running would fail after a migration. A `*` inside a statement is harmless: its result stays the same.
 */
export async function starFaults(statements: readonly { name: string; text: string }[]): Promise<string[]> {
  await loadModule();
  return statements
    .filter(({ text }) => hasStar(parseSync(text).stmts?.[0]?.stmt ?? {}))
    .map(({ name }) => `${name} returns *; ${remedy}`);
}

type Tree = { targetList?: object[]; returningClause?: { exprs?: object[] }; larg?: Tree; rarg?: Tree };

function hasStar(node: object): boolean {
  const [[kind, tree] = ['', {}]] = Object.entries(node) as [string, Tree][];
  const results = kind === 'SelectStmt' ? selectLists(tree) : (tree.returningClause?.exprs ?? []);
  return results.some((result) =>
    /^\{"ResTarget":\{"val":\{"ColumnRef":\{"fields":\[.*\{"A_Star"/.test(JSON.stringify(result)),
  );
}

/** The result columns of a SELECT, and of each part of a UNION. */
function selectLists({ targetList = [], larg, rarg }: Tree): object[] {
  return [...targetList, ...[larg, rarg].flatMap((part) => (part === undefined ? [] : selectLists(part)))];
}

/** Statements in packages, and any others that no list has, by their text. */
export function starTexts(path: string, source: string): string[] {
  const found = source.matchAll(
    /\bname: ['`]([\w.]+)[^;]{0,80}?text:\s*[`'](?:\s*SELECT\s+(?:\w+\.)?\*|[^`]*\bRETURNING\s+(?:\w+\.)?\*\s*`)/g,
  );
  return [...found].map(([, name]) => `${path}: ${name} returns *; ${remedy}`);
}

/** The faults of every source of a package or service. */
export function starFaultsInSources(): string[] {
  const files = globSync('{packages,services}/*/src/**/*.ts', { cwd: root }).sort();
  return files.flatMap((file) => starTexts(file, readFileSync(join(root, file), 'utf8')));
}
