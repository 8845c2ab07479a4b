import type { Readable, Writable } from 'node:stream';
import { EnvError, readEnv } from '@taskwire/env';
import { errorText, Problem } from '@taskwire/errors';
import { clientCommands } from './client-commands.ts';
import { keyCommands } from './key-commands.ts';
import { CommandFailed, UsageError, type Command } from './command.ts';
import { addUser, importUsers, restoreUser } from './user-commands.ts';
import { recoverUsers } from './recover-command.ts';
import { commandEnv } from '../env.ts';
import { wireCommands } from './wire.ts';

/** The parts of a process that a command uses. */
export type CommandProcess = {
  args: string[];
  env: Readonly<Record<string, string | undefined>>;
  stdin: Readable;
  stdout: Writable;
  stderr: Writable;
  /** The command line that runs these commands, for the help. */
  program?: string;
};

const commands: Readonly<Record<string, Command>> = {
  'user add': addUser,
  'user import': importUsers,
  'user restore': restoreUser,
  'user recover': recoverUsers,
  ...clientCommands,
  ...keyCommands,
};

/** Returns the help text for all commands, or for one. */
function usageOf(program: string, name?: string): string {
  const shown = Object.entries(commands).filter(([one]) => name === undefined || one === name);
  return `Usage: ${program} <command> [options]

${shown
  .map(([one, { options, does }]) => `  ${`${one} ${options}`.trim()}\n      ${does.replaceAll('\n', '\n      ')}`)
  .join('\n')}

DATABASE_URL names Auth's database.
Exit codes: 0 done, or nothing to do; 1 failed; 2 invalid arguments.
`;
}

/** Runs one command. Returns the exit code. */
export async function runCommand({
  args,
  env,
  stdin,
  stdout,
  stderr,
  program = 'node services/auth/src/cli/main.ts',
}: CommandProcess): Promise<number> {
  const name = args.slice(0, 2).join(' ');
  const command = commands[name];
  const usage = usageOf(program, command && name);
  try {
    if (args.includes('--help') || args.includes('-h')) {
      stdout.write(usage);
      return 0;
    }
    if (command === undefined) {
      throw new UsageError(args.length === 0 ? 'A command is missing.' : 'Unknown command.');
    }
    // the arguments are validated before any connection is opened
    const run = await command.read(args.slice(2), { stdin, env, write: (line) => void stdout.write(`${line}\n`) });
    const wired = await wireCommands(readEnv(commandEnv, env), stderr);
    try {
      await wired.requireMigrated();
      stdout.write(`${await run(wired)}\n`);
    } finally {
      await wired.close();
    }
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      stderr.write(`${error.message}\n\n${usage}`);
      return 2;
    }
    const isExpected = error instanceof EnvError || error instanceof Problem || error instanceof CommandFailed;
    stderr.write(`${isExpected ? error.message : errorText(error)}\n`);
    return 1;
  }
}
