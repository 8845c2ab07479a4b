import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { inheritedEnv } from '@taskwire/process-supervisor';
import { bugNames, bugs } from '../bugs.ts';
import { clockFile, setClock } from '../suite/clock.ts';

const run = promisify(execFile);
const preload = (name: string) => fileURLToPath(new URL(`../preload/${name}.ts`, import.meta.url));
const product = (file: string) => fileURLToPath(new URL(`../../../${file}`, import.meta.url));

describe('the deliberate bugs', () => {
  for (const name of bugNames) {
    it(`apply to the product: ${name}`, () => {
      expect(bugs[name].patches).not.empty;
      for (const { file, find } of bugs[name].patches)
        expect(readFileSync(product(file), 'utf8').split(find), file).lengthOf(2);
    });

    it(`leave code that can be read: ${name}`, () => {
      for (const file of new Set(bugs[name].patches.map((patch) => patch.file))) {
        const patched = bugs[name].patches
          .filter((patch) => patch.file === file)
          .reduce((source, { find, put }) => source.replace(find, () => put), readFileSync(product(file), 'utf8'));
        expect(() => stripTypeScriptTypes(patched), file).not.throw();
      }
    });
  }

  it('are patched into a file when a process loads it', async () => {
    const name = 'death-without-event';
    const [patch] = bugs[name].patches;
    const load = `const { jobEventsSql } = await import(${JSON.stringify(product(patch!.file))});
      console.log(jobEventsSql({ changed: 'ended', actor: 'NULL', headers: '$1' }))`;
    const args = [`--import=${preload('bug')}`, '--input-type=module', '-e', load];
    const { stdout } = await run(process.execPath, args, {
      env: { ...inheritedEnv(), TASKWIRE_CHAOS_BUGS: `unblocked-twice,${name}` },
    });
    expect(stdout).include(patch!.put);
  });
});

describe('the clock of a service', () => {
  let dir: string;
  beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'taskwire-clock-'))));
  afterEach(() => rmSync(dir, { recursive: true }));

  it('has the offset in its file, however the time is read, and follows changes to the file', async () => {
    const file = clockFile(dir, 'tasks');
    setClock(file, 3_600_000);
    const script = `
      const { writeFileSync } = await import('node:fs');
      const off = () => [Date.now(), new Date().getTime(), Date.parse(Date())].map((ms) => ms - performance.timeOrigin - performance.now());
      const before = off();
      writeFileSync(process.env.TASKWIRE_CHAOS_CLOCK_FILE, '-60000');
      while (Date.now() > performance.timeOrigin + performance.now()) await new Promise((next) => setTimeout(next, 10));
      const date = new Date(2026, 0, 2);
      console.log(JSON.stringify({ before, after: off(), is: [date instanceof Date, date.getFullYear(), new Date(5).getTime(), Date.UTC(1970, 0)] }));`;
    const env = { ...inheritedEnv(), TASKWIRE_CHAOS_CLOCK_FILE: file };
    const args = [`--import=${preload('clock')}`, '--input-type=module', '-e', script];
    const { stdout } = await run(process.execPath, args, { env });
    const { before, after, is } = JSON.parse(stdout) as { before: number[]; after: number[]; is: unknown };
    // Date() as text has only whole seconds
    for (const ms of before) expect(ms).closeTo(3_600_000, 1_500);
    for (const ms of after) expect(ms).closeTo(-60_000, 1_500);
    expect(is).deep.equal([true, 2026, 5, 0]);
  });
});
