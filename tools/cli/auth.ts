import type { Command } from 'commander';
import { CommandFault, type CommandProcess } from './command-process.ts';
import type { Environment } from './suite-environment.ts';

/** Adds Auth's own command line, with the environment that npm start gives Auth. */
export function addAuth(program: Command, process: CommandProcess, exit: (code: number) => void): void {
  program
    .command('auth')
    .description('manages users, clients and signing keys')
    .argument('[arguments...]', 'a command of Auth and its options; --help lists them')
    // Auth reads and explains them
    .allowUnknownOption()
    .passThroughOptions()
    .helpOption(false)
    .action(async (args: string[]) => {
      const runCommand = await authCommand();
      exit(
        await runCommand({
          ...process,
          args,
          env: await authEnvironment(process.env),
          program: `${process.program} auth`,
        }),
      );
    });
}

/** Loads Auth's code only when it is needed: without it, the other commands start faster, and only the image of Auth contains it. */
export async function authCommand() {
  try {
    return (await import('@taskwire/service-auth/cli')).runCommand;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new CommandFault("Auth's commands are not installed here. Run them in the image of Auth.");
  }
}

/** Returns the environment of Auth: the given one if it contains a database URL, and otherwise that of the running suite. */
export async function authEnvironment(env: Environment): Promise<Environment> {
  if (env['DATABASE_URL'] !== undefined) return env;
  // an image does not contain the code that starts a suite
  const { suiteAuthEnvironment } = await import('./suite-auth-environment.ts');
  return suiteAuthEnvironment(env);
}
