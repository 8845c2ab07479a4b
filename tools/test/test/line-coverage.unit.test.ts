import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { codeLines, coveredLines, percent, sharesOf, type ScriptCoverage } from '../line-coverage.ts';

const source = `// a comment
type Colour = 'red' | 'green';

export function choose(loud: string): Colour {
  /* another
     comment */
  if (loud === 'yes') {
    return 'red';
  }
  return 'green';
}
function never(): void {
  console.log('never');
}
if (choose('no') === 'red') never();
`;

describe('The coverage of lines', () => {
  it('counts lines with code, not comments, types, blank lines and punctuation', () => {
    expect(codeLines('a.ts', source)).to.deep.equal([4, 7, 8, 10, 12, 13, 15]);
  });

  it('finds the lines that a process really ran, and those that it did not (canary)', () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'taskwire-coverage-test-')));
    const file = join(folder, 'choose.ts');
    writeFileSync(file, source);
    const env = { ...process.env, NODE_V8_COVERAGE: join(folder, 'v8'), NODE_DISABLE_COMPILE_CACHE: '1' };
    expect(spawnSync(process.execPath, ['--no-warnings', file], { env }).status).to.equal(0);
    const scripts = readdirSync(env.NODE_V8_COVERAGE).flatMap(
      (name) =>
        (JSON.parse(readFileSync(join(env.NODE_V8_COVERAGE, name), 'utf8')) as { result: ScriptCoverage[] }).result,
    );
    rmSync(folder, { recursive: true });
    const script = scripts.find(({ url }) => url === pathToFileURL(file).href);
    const covered = coveredLines(source, script ?? { url: '', functions: [] });
    expect(codeLines('a.ts', source).filter((line) => !covered.has(line))).to.deep.equal([8, 12, 13]);
  });

  it('is the share of all lines, by unit and in total; the share of no lines is 0 %', () => {
    const { units, all } = sharesOf(
      new Map([
        ['packages/a/src/x.ts', { lines: [1, 2, 3], covered: new Set([1, 2, 3]) }],
        ['packages/a/src/y.ts', { lines: [1], covered: new Set<number>() }],
        ['services/b/src/z.ts', { lines: [5, 6], covered: new Set([5]) }],
      ]),
    );
    expect(units.map((unit) => [unit.name, percent(unit)])).to.deep.equal([
      ['packages/a', 75],
      ['services/b', 50],
    ]);
    expect(all).to.deep.equal({ name: 'all', lines: 6, covered: 4 });
    expect(percent({ name: 'nothing', lines: 0, covered: 0 })).to.equal(0);
  });
});
