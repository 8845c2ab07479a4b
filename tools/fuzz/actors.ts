import { createPrivateKey } from 'node:crypto';
import { privateKeyJwt } from '@taskwire/http-client';
import { demoPeople } from '../../infra/local/people.ts';
import type { Suite } from '../../infra/local/suite.ts';
import type { Server } from './operations.ts';
import type { Actors } from './sequence.ts';

/** The services that act in a run, as clients of the internal APIs. */
export const serviceActors = ['tasks', 'notifications'] as const;

/** The scopes that each service may request. They differ, so that a run has responses to callers with and without the scope of an operation. */
const grants: Record<(typeof serviceActors)[number], { server: Server; resource: string; scope: string }[]> = {
  tasks: [{ server: 'auth', resource: 'urn:taskwire:auth', scope: 'users:read' }],
  notifications: [
    { server: 'auth', resource: 'urn:taskwire:auth', scope: 'users:read account_links:read' },
    { server: 'tasks', resource: 'urn:taskwire:tasks', scope: 'tasks:read' },
  ],
};

/** Logs the demo users in, and gets the tokens of the services. */
export async function logIn(suite: Suite): Promise<Actors> {
  const people = demoPeople.map(async ({ email, password }): Promise<[string, Actors[string]]> => {
    const session = await request<{ access_token: string; user: { id: string } }>(`${suite.url}/api/v1/auth/login`, {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email, password }),
    });
    return [email, { token: session.access_token, id: session.user.id }];
  });
  const services = serviceActors.map(async (service): Promise<[string, Actors[string]]> => {
    const tokens: Partial<Record<Server, string>> = {};
    for (const { server, ...grant } of grants[service]) tokens[server] = await tokenOf(suite, service, grant);
    return [service, { tokens }];
  });
  return Object.fromEntries(await Promise.all([...people, ...services]));
}

async function tokenOf(
  suite: Suite,
  service: (typeof serviceActors)[number],
  grant: { resource: string; scope: string },
): Promise<string> {
  const { id: clientId, issuer, privateKey } = suite.m2mClient(service);
  const url = `${suite.url}/oidc/token`;
  const proof = await privateKeyJwt({ clientId, issuer, privateKey: createPrivateKey(privateKey) })(url);
  const body = new URLSearchParams({ grant_type: 'client_credentials', ...grant, ...proof.parameters });
  return (await request<{ access_token: string }>(url, { body })).access_token;
}

async function request<T>(url: string, init: RequestInit): Promise<T> {
  const response = await fetch(url, { method: 'POST', ...init });
  if (!response.ok) throw new Error(`POST ${url} returned ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}
