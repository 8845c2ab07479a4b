import { join } from 'node:path';
import { externalServers } from '../../infra/local/external-servers.ts';
import { configuredPorts } from '../../infra/local/ports.ts';
import { localFolder } from '../../infra/local/running-file.ts';
import { keptSecrets } from '../../infra/local/secrets.ts';
import { serviceEnv } from '../../infra/local/service-env.ts';
import { suiteWiring } from '../../infra/local/wiring.ts';
import type { Environment } from './suite-environment.ts';

/** The environment that npm start gives Auth. */
export function suiteAuthEnvironment(env: Environment): Environment {
  const wiring = suiteWiring({
    ports: configuredPorts(env['TASKWIRE_PORT_BASE']),
    secrets: keptSecrets(join(localFolder(env), 'secrets.json')),
    external: externalServers(env),
    logLevel: undefined,
  });
  return serviceEnv('auth', wiring);
}
