import type { Readable, Writable } from 'node:stream';
import type { Environment } from './suite-environment.ts';

/** The parts of a process that a command uses; tests pass substitutes. */
export type CommandProcess = {
  /** The command line that starts the program, for help and usage. */
  program: string;
  args: readonly string[];
  env: Environment;
  stdin: Readable;
  /** The width of the terminal; absent for a file or a pipe. */
  stdout: Writable & { columns?: number };
  stderr: Writable;
};

/** Exit codes of the operators' commands. */
export const exitCodes = { done: 0, failed: 1, usage: 2 } as const;

/** The command failed for a reason that the operator can fix; the message names that reason. */
export class CommandFault extends Error {
  override readonly name = 'CommandFault';
}
