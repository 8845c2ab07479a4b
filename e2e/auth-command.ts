import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Suite } from '../infra/local/suite.ts';

export const cli = fileURLToPath(new URL('../services/auth/src/cli/main.ts', import.meta.url));

/** Runs Auth's command line against the suite, as an operator does. Returns its output. */
export async function authCommand(suite: Suite, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [cli, ...args], { env: suite.envOf('auth') });
  return stdout.trim();
}
