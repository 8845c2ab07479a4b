import { join } from 'node:path';
import type { Command } from 'commander';
import { externalServers } from '../../infra/local/external-servers.ts';
import { configuredPorts } from '../../infra/local/ports.ts';
import { localFolder } from '../../infra/local/running-file.ts';
import { keptSecrets } from '../../infra/local/secrets.ts';
import { serviceEnv } from '../../infra/local/service-env.ts';
import { suiteWiring } from '../../infra/local/wiring.ts';
import type { CommandProcess } from './command-process.ts';
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
      // loaded only here: the other commands start faster without Auth's code
      const { runCommand } = await import('@taskwire/service-auth/cli');
      exit(
        await runCommand({ ...process, args, env: authEnvironment(process.env), program: 'npm run taskwire -- auth' }),
      );
    });
}

function authEnvironment(env: Environment): Environment {
  if (env['DATABASE_URL'] !== undefined) return env;
  const wiring = suiteWiring({
    ports: configuredPorts(env['TASKWIRE_PORT_BASE']),
    secrets: keptSecrets(join(localFolder(env), 'secrets.json')),
    external: externalServers(env),
    logLevel: undefined,
  });
  return serviceEnv('auth', wiring);
}
