import type { Node, RawStmt } from 'libpg-query';
import { loadModule, parseSync } from 'libpg-query';

/** PostgreSQL's own parser, compiled to WebAssembly. It is ready before this module's functions can be called. */
await loadModule();

/** One statement of a file: its kind, such as `AlterTableStmt`, its syntax tree, and its line. */
export type Statement = { kind: string; node: Node; line: number; lineAt(location: number | undefined): number };

/** Parses a file of SQL. @throws an error with the parser's message if the text is not valid SQL. */
export function parseSql(text: string): Statement[] {
  // the parser counts bytes
  const bytes = Buffer.from(text);
  const lineAt = (offset: number) => bytes.subarray(0, offset).toString().split('\n').length;
  return (parseSync(text).stmts ?? []).map(({ stmt, stmt_location: start = 0 }: RawStmt) => {
    const node = stmt ?? ({} as Node);
    // the parser lets a statement begin after the previous semicolon, so blank lines and comments at its start are skipped
    const line = lineAt(start + leadingBytes(bytes.subarray(start).toString()));
    return {
      kind: Object.keys(node)[0] ?? '',
      node,
      line,
      lineAt: (location) => (location === undefined ? line : lineAt(location)),
    };
  });
}

function leadingBytes(text: string): number {
  return Buffer.byteLength(/^(?:\s|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*/.exec(text)?.[0] ?? '');
}

/** Returns the values of a key, such as `ColumnRef`, in all objects of a syntax tree. */
export function findAll<T>(tree: unknown, key: string): T[] {
  if (typeof tree !== 'object' || tree === null) return [];
  return Object.entries(tree).flatMap(([name, value]) => [
    ...(name === key ? [value as T] : []),
    ...findAll<T>(value, key),
  ]);
}

/** Returns the strings in a list of names, such as the parts of `public.tasks`. */
export function namesIn(list: unknown): string[] {
  return findAll<{ sval?: string }>(list, 'String').map(({ sval = '' }) => sval);
}
