import type { Suite } from '../infra/local/suite.ts';
import { authCommand } from './auth-command.ts';

/** Registers a client that may work on a queue, and returns its secret. */
export async function registerWorker(suite: Suite, id: string, queue: string): Promise<string> {
  const grant = ['--grant', 'urn:taskwire:tasks=jobs:work,jobs:enqueue', '--queue', queue];
  const added = await authCommand(suite, 'client', 'add', '--id', id, '--secret', ...grant);
  return added.trim().split(' ').at(-1) ?? '';
}

/** An access token of a client that was registered. */
export async function tokenOfWorker(suite: Suite, id: string, secret: string): Promise<string> {
  const response = await fetch(new URL('/oidc/token', suite.url), {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource: 'urn:taskwire:tasks' }),
  });
  if (response.status !== 200) throw new Error(`no token: ${response.status} ${await response.text()}`);
  return ((await response.json()) as { access_token: string }).access_token;
}
