// npm run coverage: runs the unit and component tests, and fails if they run less than 85 % of the lines of packages and services
//
// Node writes what V8 counted in each process that ends, child processes included, to NODE_V8_COVERAGE. A process that a test kills counts nothing.
import { globSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { disposableFolder, releaseFolder } from '@taskwire/process-supervisor';
import { codeLines, coveredLines, percent, sharesOf, type FileCoverage, type ScriptCoverage } from './line-coverage.ts';

/** The minimum coverage that the project promises. It is well below today's coverage, so that one untested adapter does not fail the run. */
const leastPercent = 85;

const root = fileURLToPath(new URL('../../', import.meta.url));
const measured = '{packages,services}/*/src/**/*.ts';

const folder = disposableFolder('taskwire-coverage-');
process.env['NODE_V8_COVERAGE'] = folder;
// V8's counts are less exact for functions from the compile cache
process.env['NODE_DISABLE_COMPILE_CACHE'] = '1';
delete process.env['NODE_COMPILE_CACHE'];
process.env['TASKWIRE_TEST_STAGES'] = 'coverage';
try {
  // in this process, which receives the signals and the bootstrap's kill -9
  await import('./run.ts');
  report(readCoverage());
} finally {
  delete process.env['NODE_V8_COVERAGE'];
  rmSync(folder, { recursive: true, force: true });
  releaseFolder(folder);
}

function readCoverage(): Map<string, FileCoverage> {
  const paths = globSync(measured, { cwd: root, exclude: ['**/node_modules/**'] }).sort();
  const sources = new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
  const pathOfUrl = new Map(paths.map((path) => [pathToFileURL(join(root, path)).href, path]));
  const files = new Map(
    [...sources].map(([path, source]) => [path, { lines: codeLines(path, source), covered: new Set<number>() }]),
  );
  for (const file of readdirSync(folder)) {
    const { result } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { result: ScriptCoverage[] };
    for (const script of result) {
      const path = pathOfUrl.get(script.url) ?? '';
      const source = sources.get(path);
      if (source !== undefined) for (const line of coveredLines(source, script)) files.get(path)?.covered.add(line);
    }
  }
  return files;
}

function report(files: ReadonlyMap<string, FileCoverage>): void {
  const { units, all } = sharesOf(files);
  const row = (name: string, share: number) => console.log(`${share.toFixed(1).padStart(6)} %  ${name}`);
  console.log('\nLines of code that ran:');
  for (const unit of units) row(unit.name, percent(unit));
  row('all', percent(all));
  const missing = [...files]
    .map(([path, { lines, covered }]) => ({ path, count: lines.filter((line) => !covered.has(line)).length }))
    .toSorted((a, b) => b.count - a.count)
    .slice(0, 10);
  console.log('\nMost lines that did not run:');
  for (const { path, count } of missing) console.log(`${String(count).padStart(6)}    ${path}`);
  mkdirSync(join(root, 'coverage'), { recursive: true });
  writeFileSync(join(root, 'coverage/lcov.info'), lcov(files));
  const isEnough = percent(all) >= leastPercent;
  console.log(
    `\n${percent(all).toFixed(1)} % of lines; at least ${leastPercent} % are required. coverage/lcov.info has each line.`,
  );
  if (!isEnough) process.exitCode = 1;
}

/** In the format that editors and services for coverage read. */
function lcov(files: ReadonlyMap<string, FileCoverage>): string {
  const records = [...files].map(([path, { lines, covered }]) => {
    const counts = lines.map((line) => `DA:${line},${covered.has(line) ? 1 : 0}`);
    return [`SF:${path}`, ...counts, 'end_of_record', ''].join('\n');
  });
  return records.join('');
}
