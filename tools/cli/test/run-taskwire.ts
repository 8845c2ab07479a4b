import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInProcess } from '@taskwire/testing';
import { runCommand } from '../run-command.ts';

/** A folder in which no suite runs. */
export const emptyFolder = mkdtempSync(join(tmpdir(), 'taskwire-cli-'));

/** Runs a command in this process, as on a machine on which no suite is running. */
export async function runTaskwire(args: string[], env: Record<string, string> = {}) {
  return await runInProcess((process) => runCommand({ program: 'npm run taskwire --', ...process }), {
    args,
    env: { TASKWIRE_LOCAL_DIR: emptyFolder, ...env },
  });
}
