// npm run auth -- <command>: Auth's command line, for the suite of this clone. If DATABASE_URL is set, it uses that database.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inheritedEnv } from '@taskwire/process-supervisor';
import { outsideServers } from '../../../infra/local/outside.ts';
import { configuredPorts } from '../../../infra/local/ports.ts';
import { localFolder } from '../../../infra/local/running-file.ts';
import { keptSecrets } from '../../../infra/local/secrets.ts';
import { serviceEnv } from '../../../infra/local/service-env.ts';
import { suiteWiring } from '../../../infra/local/wiring.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const cli = join(root, 'services/auth/src/cli/main.ts');

const child = spawn(process.execPath, [cli, ...process.argv.slice(2)], { stdio: 'inherit', env: environment() });
child.once('exit', (code) => (process.exitCode = code ?? 1));

function environment(): NodeJS.ProcessEnv {
  if (process.env.DATABASE_URL !== undefined) return process.env;
  if (existsSync(join(root, '.env'))) process.loadEnvFile(join(root, '.env'));
  const wiring = suiteWiring({
    ports: configuredPorts(process.env.TASKWIRE_PORT_BASE),
    secrets: keptSecrets(join(localFolder(), 'secrets.json')),
    outside: outsideServers(process.env),
    logLevel: undefined,
  });
  return { ...inheritedEnv(), ...serviceEnv('auth', wiring) };
}
