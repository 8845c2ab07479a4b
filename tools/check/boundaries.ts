import { globSync, readFileSync } from 'node:fs';
import ts from 'typescript';
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
    if (!paths.includes(wanted)) return [`The boundary check did not find ${wanted}: it looks in the wrong place.`];
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

/** The imports of a file and its reads of process.env, found with the TypeScript parser. */
function parse(path: string, source: string): SourceFile {
  const imports: Import[] = [];
  const environmentReads: number[] = [];
  const tree = ts.createSourceFile(path, source, ts.ScriptTarget.Latest);
  const lineOf = (node: ts.Node) => tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
  const add = (node: ts.Node, literal: ts.Node | undefined, typeOnly: boolean) => {
    if (literal && ts.isStringLiteralLike(literal))
      imports.push({ specifier: literal.text, typeOnly, line: lineOf(node) });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node))
      add(node, node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    else if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node, node.argument.literal, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node, node.arguments[0], false);
    if (isProcessEnv(node)) environmentReads.push(lineOf(node));
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return { path, imports, environmentReads };
}

function isProcessEnv(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node)) return isProcess(node.expression) && node.name.text === 'env';
  if (ts.isElementAccessExpression(node)) {
    return (
      isProcess(node.expression) &&
      ts.isStringLiteralLike(node.argumentExpression) &&
      node.argumentExpression.text === 'env'
    );
  }
  // const { env } = process, and import { env } from 'node:process'
  if (ts.isVariableDeclaration(node))
    return node.initializer !== undefined && isProcess(node.initializer) && ts.isObjectBindingPattern(node.name);
  return (
    ts.isImportDeclaration(node) &&
    ts.isStringLiteral(node.moduleSpecifier) &&
    /^(node:)?process$/.test(node.moduleSpecifier.text)
  );
}

function isProcess(node: ts.Node): boolean {
  return (
    (ts.isIdentifier(node) && node.text === 'process') ||
    (ts.isPropertyAccessExpression(node) && node.name.text === 'process')
  );
}

/** Files that import one another, be it for types only: neither can be understood without the other. Each cycle once, at its first file. */
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
