import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { output, programOf, root, type Step } from './step.ts';

/** Lints every file, after the canary has shown that the project's own rules, the overrides for tests and the rules that need types still report. */
export const lintStep: Step = {
  name: 'lint (canary first)',
  faults: async () => {
    const missed = await missedByLint();
    return missed.length > 0 ? missed : await oxlint('--deny-warnings', '.');
  },
};

/** Breaks each of these rules once. */
const canary = `
enum Colour { Red }
export * from './other.ts';
export default function choose(loud: boolean): Colour { return loud ? Colour.Red : Colour.Red; }
export async function sleep(): Promise<void> { await new Promise((done) => setTimeout(done, 10)); }
export function forget(): void { sleep(); }
import { setTimeout as delay } from 'node:timers/promises';
void delay(1);
`;
const broken = [
  'habits(no-enum)',
  'habits(no-anonymous-export-all)',
  'habits(no-default-export)',
  'habits(no-boolean-parameter)',
  'habits(no-sleep)',
  'eslint(no-restricted-imports)',
  'typescript(no-floating-promises)',
];

async function missedByLint(): Promise<string[]> {
  const file = join(root, '.local/check/lint-canary/test/canary.test.ts');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, canary);
  const said = (await oxlint('--no-ignore', '--format', 'unix', file)).join('\n');
  return broken
    .filter((rule) => !said.includes(`/${rule}]`))
    .map((rule) => `Canary: oxlint did not report ${rule}; it said: ${said}`);
}

const oxlint = async (...args: string[]) => await output(process.execPath, [programOf('oxlint'), ...args]);
