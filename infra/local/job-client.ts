import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Suite } from './suite.ts';

/** A client registered with Auth, which gets its tokens with a secret. */
export type JobClient = { id: string; secret: string };

const cli = fileURLToPath(new URL('../../services/auth/src/cli/main.ts', import.meta.url));

/** Registers a client that sends and executes the jobs of a queue, as an operator does. */
export async function addJobClient(suite: Suite, { id, queue }: { id: string; queue: string }): Promise<JobClient> {
  const grant = 'urn:taskwire:tasks=jobs:work,jobs:enqueue';
  const args = ['client', 'add', '--id', id, '--secret', '--grant', grant, '--queue', queue];
  const { stdout } = await promisify(execFile)(process.execPath, [cli, ...args], { env: suite.envOf('auth') });
  const secret = stdout.trim().split(' ').at(-1);
  if (secret === undefined) throw new Error('the client was added without a secret');
  return { id, secret };
}

/** Requests an access token for Tasks through the gateway. `ip` is the address of the caller. @throws while Auth is unavailable. */
export async function jobClientToken(url: string, { id, secret }: JobClient, ip = '10.2.0.1'): Promise<string> {
  const response = await fetch(`${url}/oidc/token`, {
    method: 'POST',
    headers: {
      'x-forwarded-for': ip,
      authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
    },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource: 'urn:taskwire:tasks' }),
    signal: AbortSignal.timeout(10_000),
  });
  if (response.status !== 200) throw new Error(`no token: ${response.status}`);
  return ((await response.json()) as { access_token: string }).access_token;
}
