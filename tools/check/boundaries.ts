import { globSync, readFileSync } from 'node:fs';
import { parseSync, Visitor, type Expression, type MemberExpression, type Span } from 'oxc-parser';
import { canary } from './boundary-canary.ts';
import { resolveRelative, violationsOf, type Import, type SourceFile, type Violation } from './boundary-rules.ts';

const pattern = '{packages,services,infra,tools,e2e}/**/*.{ts,mts,js,mjs}';

/**
 * Reads every source file of the repository and applies the boundary rules. First it proves on the canary that each rule can fail, and that files
 * were found: a check that looks at nothing would pass. Returns the lines to show; none means that all is well.
 */
export function checkBoundaries(root: string): string[] {
  const dead = checkCanary();
  if (dead.length > 0) return dead;
  const paths = globSync(pattern, { cwd: root, exclude: ['**/node_modules/**', '**/dist/**', '**/.local/**'] }).sort();
  const files = paths.map((path) => parse(path, readFileSync(`${root}/${path}`, 'utf8')));
  for (const wanted of ['packages/errors/src/index.ts', 'services/auth/src/wire.ts', 'tools/check/boundaries.ts']) {
    if (!paths.includes(wanted))
      return [`The boundary check did not find ${wanted}: it is looking in the wrong place.`];
  }
  return [...files.flatMap(violationsOf), ...cyclesOf(files)].map(
    ({ path, line, rule, message }) => `${path}:${line}  ${rule}: ${message}`,
  );
}

/** Checks that every file of the canary breaks exactly the rule that it names, or none. Returns the deviations. */
export function checkCanary(): string[] {
  return canary.flatMap(({ breaks, files }) => {
    const parsed = files.map(({ path, source }) => parse(path, source));
    const found = [...parsed.flatMap(violationsOf), ...cyclesOf(parsed)].map(({ rule }) => rule);
    const asExpected = breaks === undefined ? found.length === 0 : found.length === 1 && found[0] === breaks;
    const named = files.map(({ path, source }) => `${path}: ${source}`).join(' | ');
    return asExpected
      ? []
      : [`Canary: expected ${breaks ?? 'nothing'}, found ${found.join(', ') || 'nothing'} in ${named}`];
  });
}

/** The imports of a file and its reads of process.env. */
function parse(path: string, source: string): SourceFile {
  const imports: Import[] = [];
  const environmentReads: number[] = [];
  const { program, errors } = parseSync(path, source);
  const [error] = errors;
  if (error !== undefined) throw new Error(`${path}: ${error.message}`);
  const lineOf = ({ start }: Span) => source.slice(0, start).split('\n').length;
  const add = (node: Span, from: Expression | null, typeOnly: boolean) => {
    const specifier = textOf(from);
    if (specifier !== undefined) imports.push({ specifier, typeOnly, line: lineOf(node) });
  };
  const readIf = (node: Span, isRead: boolean) => {
    if (isRead) environmentReads.push(lineOf(node));
  };
  new Visitor({
    ImportDeclaration(node) {
      add(node, node.source, node.importKind === 'type');
      // import { env } from 'node:process'
      readIf(node, /^(node:)?process$/.test(node.source.value));
    },
    ExportNamedDeclaration: (node) => add(node, node.source, node.exportKind === 'type'),
    ExportAllDeclaration: (node) => add(node, node.source, node.exportKind === 'type'),
    ImportExpression: (node) => add(node, node.source, false),
    TSImportType: (node) => add(node, node.source, true),
    MemberExpression: (node) => readIf(node, isProcess(node.object) && propertyOf(node) === 'env'),
    // const { env } = process
    VariableDeclarator: (node) => readIf(node, node.id.type === 'ObjectPattern' && isProcess(node.init)),
  }).visit(program);
  return { path, imports, environmentReads };
}

/** The text of a string literal, or of a template without substitutions. */
function textOf(node: Expression | null): string | undefined {
  if (node?.type === 'Literal' && typeof node.value === 'string') return node.value;
  if (node?.type === 'TemplateLiteral' && node.expressions.length === 0)
    return node.quasis[0]?.value.cooked ?? undefined;
  return undefined;
}

function propertyOf({ computed, property }: MemberExpression): string | undefined {
  if (computed) return textOf(property);
  return property.type === 'Identifier' ? property.name : undefined;
}

/** `process`, or a property of that name, such as `globalThis.process`. */
function isProcess(node: Expression | null): boolean {
  if (node?.type === 'Identifier') return node.name === 'process';
  return node?.type === 'MemberExpression' && propertyOf(node) === 'process';
}

/** Files that import one another, even if only for types: neither can be understood without the other. Reports each cycle once, at its first file. */
function cyclesOf(files: SourceFile[]): Violation[] {
  const edges = new Map(
    files.map(({ path, imports }) => [
      path,
      imports
        .filter(({ specifier }) => specifier.startsWith('.'))
        .map(({ specifier }) => resolveRelative(path, specifier)),
    ]),
  );
  const cycles: Violation[] = [];
  const done = new Set<string>();
  const walk = (path: string, trail: string[]): void => {
    const start = trail.indexOf(path);
    if (start !== -1) {
      const cycle = trail.slice(start);
      cycles.push({
        path,
        line: 1,
        rule: 'cycles',
        message: `imports itself through ${[...cycle.slice(1), path].join(' → ')}`,
      });
    }
    if (start !== -1 || done.has(path)) return;
    for (const next of edges.get(path) ?? []) walk(next, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) walk(path, []);
  return cycles;
}
