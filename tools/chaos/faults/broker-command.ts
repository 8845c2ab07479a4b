import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { findRabbit, inheritedEnv } from '@taskwire/process-supervisor';
import type { SuiteUnderTest } from '../suite/under-test.ts';

const run = promisify(execFile);

/** Runs rabbitmqctl against the suite's broker, for tasks beyond its management API. */
export async function brokerCommand({ brokerDir, ports }: SuiteUnderTest, ...args: string[]): Promise<void> {
  const server = findRabbit();
  if (server === undefined) throw new Error('rabbitmq-server is not installed.');
  await run(join(dirname(server), 'rabbitmqctl'), args, {
    timeout: 30_000,
    env: {
      ...inheritedEnv(),
      // the folder of the Erlang cookie
      HOME: brokerDir,
      RABBITMQ_NODENAME: readFileSync(join(brokerDir, 'node-name'), 'utf8').trim(),
      RABBITMQ_CONF_ENV_FILE: join(brokerDir, 'empty.conf'),
      ERL_EPMD_PORT: String(ports.epmd),
      // while the broker is down, rabbitmqctl would start its own epmd, which would still hold the port when the broker starts again
      ERL_FLAGS: '-start_epmd false',
    },
  });
}
