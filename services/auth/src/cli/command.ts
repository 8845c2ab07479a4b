import type { Readable } from 'node:stream';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import type { Commands } from './wire.ts';

/** Incorrect use of a command; the message says what to change. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The command was used correctly but can't be carried out. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
}

export type CommandInput = {
  stdin: Readable;
  env: Readonly<Record<string, string | undefined>>;
  /** Prints a line at once, before the command has ended. */
  write: (line: string) => void;
};

/** `read` validates the arguments and returns the work to do; the work returns the output. */
export type Command = {
  options: string;
  does: string;
  read: (args: string[], input: CommandInput) => Promise<(commands: Commands) => Promise<string>>;
};

/** Parses a command's options. @throws UsageError for an unknown option. */
export function readOptions<const O extends NonNullable<ParseArgsConfig['options']>>(args: string[], options: O) {
  try {
    return parseArgs({ args, options, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
