import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { inheritedEnv } from '../managed-process.ts';
import { findRabbit } from './rabbit.ts';

const run = promisify(execFile);

/** Runs rabbitmqctl against a node that `startRabbit` started with this folder, for tasks beyond its management API. */
export async function rabbitCommand(node: { dir: string; epmdPort: number }, ...args: string[]): Promise<void> {
  const server = findRabbit();
  if (server === undefined) throw new Error('rabbitmq-server is not installed.');
  await run(join(dirname(server), 'rabbitmqctl'), args, {
    timeout: 30_000,
    env: {
      ...inheritedEnv(),
      // the folder of the Erlang cookie
      HOME: node.dir,
      RABBITMQ_NODENAME: readFileSync(join(node.dir, 'node-name'), 'utf8').trim(),
      RABBITMQ_CONF_ENV_FILE: join(node.dir, 'empty.conf'),
      ERL_EPMD_PORT: String(node.epmdPort),
      // while the broker is down, rabbitmqctl would start its own epmd, which would still hold the port when the broker starts again
      ERL_FLAGS: '-start_epmd false',
    },
  });
}
