import { runInProcess } from '@taskwire/testing';
import { runCommand } from '../../src/cli/run-command.ts';

/** Runs a command of Auth in this process. */
export async function runHere(args: string[], env: Record<string, string>, input = '') {
  return await runInProcess(runCommand, { args, env, input });
}
