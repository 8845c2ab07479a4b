import { parseArgs, type ParseArgsConfig } from 'node:util';
import { errorText } from '@taskwire/errors';
import { consumerNames, type ConsumerName } from '../../../infra/local/running-file.ts';

/** The arguments are wrong: nothing was attempted. The message names the argument and the remedy. */
export class UsageError extends Error {}

/** The command failed for a reason that the operator can fix. */
export class CommandFault extends Error {}

/** Exit codes of the operators' commands. */
export const exitCodes = { done: 0, failed: 1, usage: 2 } as const;

/** Runs a command to its exit code; prints errors as one paragraph on stderr. */
export async function runCommand(command: () => Promise<number>, help: string): Promise<void> {
  try {
    process.exitCode = await command();
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message}\nHelp: ${help}`);
      process.exitCode = exitCodes.usage;
    } else {
      console.error(error instanceof CommandFault ? error.message : errorText(error));
      process.exitCode = exitCodes.failed;
    }
  }
}

/** Node's parseArgs, with its errors as UsageErrors. */
export function readOptions<O extends NonNullable<ParseArgsConfig['options']>>(args: string[], options: O) {
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    // Node's message names the option; the text after the first sentence is about `--` and positionals
    throw new UsageError(error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error));
  }
}

export function readService(argument: string | undefined): ConsumerName {
  const found = consumerNames.find((name) => name === argument);
  if (found !== undefined) return found;
  const choice = consumerNames.join(' or ');
  throw new UsageError(
    argument === undefined
      ? `<service> is missing: name ${choice}.`
      : `<service> is ${JSON.stringify(argument)}: it must be ${choice}.`,
  );
}
