import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const script = fileURLToPath(new URL('../../../.ci/run', import.meta.url));

describe('.ci/run', () => {
  let dir: string;
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'taskwire-ci-run-'))));
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  /** Runs the script with an npm that prints lines and ends with 1 for these parts. */
  function runFailing(...failing: string[]) {
    const programs = join(dir, 'programs');
    const temporary = join(dir, 'temporary');
    for (const folder of [programs, temporary]) mkdirSync(folder);
    const npm = `#!/bin/sh
for part in check chaos drills alerts clients test; do case " $* " in *" $part "*) break ;; esac; done
i=0
while [ $i -lt 50 ]; do i=$((i + 1)); echo "$part: line $i"; done
echo "$part: an error" >&2
status=0
case " ${failing.join(' ')} " in *" $part "*) status=1 ;; esac
[ $part = test ] && echo "7 passed, $status failed"
exit $status
`;
    writeFileSync(join(programs, 'npm'), npm, { mode: 0o755 });
    const env = { ...process.env, PATH: `${programs}${delimiter}${process.env['PATH']}`, TMPDIR: temporary };
    const { status, stdout } = spawnSync(script, { env, encoding: 'utf8' });
    return { status, lines: stdout.trimEnd().split('\n'), left: readdirSync(temporary) };
  }

  const results = (lines: string[]) => lines.slice(-7, -1).map((line) => line.replace(/ +/g, ' '));

  it("ends with one line for each part, the tests' line last", () => {
    const { status, lines, left } = runFailing();
    expect(status).to.equal(0);
    expect(lines.at(-1)).to.equal('7 passed, 0 failed');
    expect(results(lines)).to.deep.equal([
      'check ok 0 s',
      'chaos ok 0 s',
      'drills ok 0 s',
      'alerts ok 0 s',
      'clients ok 0 s',
      'tests ok 0 s',
    ]);
    expect(lines.join('\n')).not.to.include('the end of');
    expect(left).to.deep.equal([]);
  });

  it('runs every part even if others fail, and shows the last 40 lines of those that failed before the results', () => {
    const { status, lines, left } = runFailing('check', 'drills', 'test');
    expect(status).to.equal(1);
    expect(lines.at(-1)).to.equal('7 passed, 1 failed');
    expect(results(lines).map((line) => line.split(' ')[1])).to.deep.equal([
      'failed',
      'ok',
      'failed',
      'ok',
      'ok',
      'failed',
    ]);
    const end = lines.slice(lines.findIndex((line) => line.includes('the end of')));
    expect(end.filter((line) => line.includes('the end of'))).to.deep.equal([
      '── the end of check ──',
      '── the end of drills ──',
      '── the end of tests ──',
    ]);
    expect(end).to.include('check: an error').and.not.to.include('check: line 11');
    expect(end.filter((line) => line.startsWith('drills: '))).to.have.length(40);
    expect(left).to.deep.equal([]);
  });
});
