import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { Suite } from '../infra/local/suite.ts';
import { blocksOf, comparable, sectionOf } from './documented-lines.ts';
import { startNewSuite } from './suite.ts';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
// the lines of docs/tasks.md use what those of the README define
const blocks = [
  ...blocksOf('README.md', sectionOf(read('README.md'), '## The main flow')),
  ...blocksOf('docs/tasks.md', read('docs/tasks.md')),
];
// allow a loaded machine more time than the pages promise
const slowly = 'sleep() { command sleep $(($1 * 5)); }\n';
const mark = '=== the next block ===';

describe('The lines of README.md and docs/tasks.md, in their order, on a suite that was just started', function () {
  this.timeout(300_000);
  let suite: Suite | undefined;
  let outputs: string[] = [];

  before(async () => {
    suite = await startNewSuite('documented');
    const script = blocks.map(({ shell }) => `${shell}\necho '${mark}'\n`).join('');
    const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
    const { stdout } = await promisify(execFile)(
      'bash',
      ['-c', slowly + script.replaceAll('http://localhost:8080', suite.url)],
      { env, maxBuffer: 10_000_000 },
    );
    outputs = stdout.split(`${mark}\n`);
  });
  after(async () => {
    await suite?.stop();
  });

  for (const [place, { page, shell, output }] of blocks.entries()) {
    if (output === undefined) continue;
    const [firstLine = ''] = shell.split('\n');
    it(`${page}: the output below “${firstLine.slice(0, 80)}” is the actual one`, () => {
      const actual = comparable(outputs[place] ?? '');
      expect(actual, `the output is ${actual}`).to.equal(comparable(output));
    });
  }
});
