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

/** Loads Auth's code, which the other commands start faster without, and which only the image of Auth contains. */
async function authCommand() {
  try {
    return (await import('@taskwire/service-auth/cli')).runCommand;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new CommandFault("Auth's commands are not installed here. Run them in the image of Auth.");
  }
}

async function authEnvironment(env: Environment): Promise<Environment> {
  if (env['DATABASE_URL'] !== undefined) return env;
  // an image does not contain the code that starts a suite
  const { suiteAuthEnvironment } = await import('./suite-auth-environment.ts');
  return suiteAuthEnvironment(env);
}
