import { execFile } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type Ended = { code: number; stdout: string; stderr: string };

// no suite runs in this folder
const emptyFolder = mkdtempSync(join(tmpdir(), 'taskwire-operator-'));

/** Runs a program of this repository as an operator does, on a machine where no suite runs. */
export function runProgram(path: string, args: string[], env: Record<string, string> = {}): Promise<Ended> {
  const program = fileURLToPath(new URL(`../${path}`, import.meta.url));
  const { TASKS_DATABASE_URL: _t, NOTIFICATIONS_DATABASE_URL: _n, ...inherited } = process.env;
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [program, ...args],
      { env: { ...inherited, TASKWIRE_LOCAL_DIR: emptyFolder, ...env }, timeout: 25_000 },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}
