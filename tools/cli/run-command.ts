import { Command, CommanderError } from 'commander';
import { errorText } from '@taskwire/errors';
import { addAuth } from './auth.ts';
import { CommandFault, exitCodes, type CommandProcess } from './command-process.ts';
import { addDeadLetters } from './dead-letters/commands.ts';
import { addDirectory } from './directory.ts';
import { addPartitions } from './partitions/commands.ts';
import { addRestored } from './restored/command.ts';

// the width of help texts that are written to a file or a pipe
const fileWidth = 120;

const environmentHelp = `
Every command works on the suite that npm start runs. To use another installation, set AUTH_DATABASE_URL, TASKS_DATABASE_URL or
NOTIFICATIONS_DATABASE_URL (for auth also DATABASE_URL).
Exit codes: 0 done, 1 not done or not completely, 2 wrong arguments.`;

/**
 * Runs one of the operators' commands and returns its exit code. Standard output contains only the result. Errors go to standard error, and name the
 * argument and the remedy.
 */
export async function runCommand(process: CommandProcess): Promise<number> {
  let exitCode: number = exitCodes.done;
  const program = new Command(process.program)
    .description("Operates Taskwire's services from the command line.")
    .addHelpText('after', environmentHelp)
    // options after `auth` belong to Auth's own commands
    .enablePositionalOptions()
    .configureOutput({
      writeOut: (text) => process.stdout.write(text),
      writeErr: (text) => process.stderr.write(text),
      getOutHelpWidth: () => process.stdout.columns ?? fileWidth,
      getErrHelpWidth: () => process.stdout.columns ?? fileWidth,
      // printed below, together with the remedy
      outputError: () => undefined,
    });
  addAuth(program, process, (code) => (exitCode = code));
  addDeadLetters(program, process);
  addDirectory(program, process);
  addRestored(program, process, (code) => (exitCode = code));
  addPartitions(program, process);
  throwUsageErrors(program);
  try {
    await program.parseAsync(process.args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof HelpShown) return error.exitCode;
    process.stderr.write(
      `${error instanceof CommandFault || error instanceof UsageError ? error.message : errorText(error)}\n`,
    );
    return error instanceof UsageError ? exitCodes.usage : exitCodes.failed;
  }
}

/** The arguments are invalid, and nothing was attempted. The message names the argument and the remedy. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

class HelpShown extends Error {
  override readonly name = 'HelpShown';
  readonly exitCode: number;

  constructor(exitCode: number) {
    super('the help was shown');
    this.exitCode = exitCode;
  }
}

/** Makes a command and all of its subcommands throw errors in cases where commander would end the process. */
function throwUsageErrors(command: Command): void {
  command.exitOverride((error) => {
    if (error.code === 'commander.help' || error.code === 'commander.helpDisplayed') {
      // commander shows the help with exit code 1 if a command is missing
      throw new HelpShown(error.exitCode === 0 ? exitCodes.done : exitCodes.usage);
    }
    throw new UsageError(usageMessage(command, error));
  });
  for (const subcommand of command.commands) throwUsageErrors(subcommand);
}

function usageMessage(command: Command, error: CommanderError): string {
  const names = command.commands.map((subcommand) => subcommand.name()).join(', ');
  const usage = command.createHelp().commandUsage(command);
  return [
    error.message.replace(/^error: /, ''),
    ...(error.code === 'commander.unknownCommand' ? [`Commands: ${names}`] : []),
    `Usage: ${usage}`,
    `Help: ${usage.replace(/ [[<].*$/, '')} --help`,
  ].join('\n');
}
