import type { Readable } from 'node:stream';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import type { Commands } from './wire-commands.ts';

/** Wrong use of a command; the message says what to change. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** It was used rightly, but cannot be done. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
}

export type CommandInput = { stdin: Readable; env: Readonly<Record<string, string | undefined>> };

/** `read` checks what was given, and gives what is to be done; that gives what to say. */
export type Command = {
  options: string;
  does: string;
  read: (args: string[], input: CommandInput) => Promise<(commands: Commands) => Promise<string>>;
};

/** The options of a command. @throws UsageError for what it does not know. */
export function readOptions<const O extends NonNullable<ParseArgsConfig['options']>>(args: string[], options: O) {
  try {
    return parseArgs({ args, options, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
