import { globSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { schemasOfServices } from './schema.ts';
import { output, root, type Step } from './step.ts';

const remedy = 'run `npm run generate` and commit what it writes';

/** Writes OpenAPI, AsyncAPI and the events' schemas into a folder; rejects with what the generator said. */
export async function generateContracts(folder: string): Promise<void> {
  const faults = await output(process.execPath, [join(root, 'packages/contracts/scripts/generate.ts'), folder]);
  if (faults.length > 0) throw new Error(faults.join('\n'));
}

/** What contracts/ has and what the contracts package makes now are the same files. The pacts are written by tests. */
export const contractsStep: Step = {
  name: 'generated contracts',
  faults: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'taskwire-contracts-'));
    try {
      await generateContracts(folder);
      return await compareFolders(folder, join(root, 'contracts'), /^pacts(\/|$)/);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

/** What services/<name>/schema.sql says and what the migrations make of an empty database are the same. */
export const schemasStep: Step = {
  name: 'generated schemas of databases',
  faults: async () => {
    const made = await schemasOfServices();
    if (made.size === 0) return ['No service with migrations was found: the check looks in the wrong place.'];
    return [...made].flatMap(([file, sql]) =>
      readOrNothing(join(root, file)) === sql ? [] : [`${file} is out of date; ${remedy}`],
    );
  },
};

async function compareFolders(made: string, committed: string, except: RegExp): Promise<string[]> {
  const list = (folder: string) => globSync('**/*.*', { cwd: folder }).filter((file) => !except.test(file));
  if ((await readdir(made)).length === 0) return ['The generator of the contracts wrote nothing.'];
  const files = new Set([...list(made), ...list(committed)]);
  return [...files].sort().flatMap((file) => {
    const [now, before] = [readOrNothing(join(made, file)), readOrNothing(join(committed, file))];
    if (now === before) return [];
    if (before === undefined) return [`contracts/${file} is missing; ${remedy}`];
    if (now === undefined) return [`contracts/${file} is no longer generated; delete it`];
    return [`contracts/${file} is out of date, from line ${firstDifference(now, before)}; ${remedy}`];
  });
}

function firstDifference(a: string, b: string): number {
  const [left, right] = [a.split('\n'), b.split('\n')];
  return left.findIndex((line, index) => line !== right[index]) + 1;
}

function readOrNothing(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
