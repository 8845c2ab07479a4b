import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The path of the repository. */
export const root = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');

/** One check of `npm run check`. `faults` returns the lines to show; none means that all is well. */
export type Step = { name: string; faults: () => Promise<string[]>; note?: () => string | undefined };

/** The faults that a step found, and its duration. */
export type Finding = { name: string; faults: string[]; seconds: number; note: string | undefined };

/** The steps whose names contain one of the words; all steps if no word is given. */
export function chosenSteps(steps: readonly Step[], words: readonly string[]): Step[] {
  return steps.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
}

/** Runs the steps in their order, at most `width` at once, and reports each when it is done. An error in a step counts as its fault. */
export async function runSteps(
  steps: readonly Step[],
  width: number,
  tell: (finding: Finding) => void,
): Promise<Finding[]> {
  const waiting = [...steps];
  const findings: Finding[] = [];
  const lane = async (): Promise<void> => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const began = performance.now();
      const faults = await step
        .faults()
        .catch((error: unknown) => [error instanceof Error ? error.message : String(error)]);
      const finding = { name: step.name, faults, seconds: (performance.now() - began) / 1000, note: step.note?.() };
      findings.push(finding);
      tell(finding);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  return findings;
}

/** A step that runs a program from node_modules; its output is shown when it fails. */
export function tool(name: string, packageName: string, args: string[]): Step {
  return { name, faults: () => output(process.execPath, [programOf(packageName), ...args]) };
}

/** Runs a program from this repository to completion: returns nothing on success, otherwise its output. */
export function output(command: string, args: string[], env: NodeJS.ProcessEnv = process.env): Promise<string[]> {
  return new Promise((resolve) => {
    // colours are for terminals, and the colours of oxlint and knip would hide the lines from editors that search for them; tsc and oxlint's rules with types
    // run in Go, and spend a quarter less processor time when they collect garbage a quarter as often
    execFile(
      command,
      args,
      { cwd: root, maxBuffer: 64 * 1024 * 1024, env: { ...env, NO_COLOR: '1', GOGC: '400' } },
      (error, stdout, stderr) => {
        const said = `${stdout}\n${stderr}`.trim();
        resolve(error === null ? [] : [said === '' ? error.message : said]);
      },
    );
  });
}

/** The path of an installed package's executable. */
export function programOf(packageName: string): string {
  const folder = join(root, 'node_modules', packageName);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    bin: string | Record<string, string>;
  };
  const file = typeof bin === 'string' ? bin : bin[packageName === 'typescript' ? 'tsc' : packageName];
  if (file === undefined) throw new Error(`${packageName} has no executable with its own name`);
  return join(folder, file);
}
