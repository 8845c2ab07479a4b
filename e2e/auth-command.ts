import { fileURLToPath } from 'node:url';
import { runInProcess } from '@taskwire/testing';
import type { Suite } from '../infra/local/suite.ts';
import { runCommand } from '../services/auth/src/cli/run-command.ts';

export const cli = fileURLToPath(new URL('../services/auth/src/cli/main.ts', import.meta.url));

/**
 * Runs a command of Auth against the suite, with the environment of an operator's process. Returns its output. It runs in this process: the start of
 * another one takes 1.5 s of a processor, and has a test in Auth.
 * @throws Error with the command's error output unless the command succeeds.
 */
export async function authCommand(suite: Suite, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runInProcess(runCommand, { args, env: suite.envOf('auth') });
  if (code !== 0) throw new Error(`${args.slice(0, 2).join(' ')} ended with ${code}: ${stderr}`);
  return stdout.trim();
}
