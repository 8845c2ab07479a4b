import { createM2mTokens, createServiceClient, privateKeyJwt } from '@taskwire/http-client';
import type { Component } from '@taskwire/lifecycle';
import type { Telemetry } from '@taskwire/telemetry';
import type { Env } from './env.ts';

/** The clients of other services, which share their tokens. */
export function wireClients(env: Env, telemetry: Telemetry) {
  const tokens = createM2mTokens({
    tokenUrl: `${env.AUTH_INTERNAL_URL}/oidc/token`,
    authentication: privateKeyJwt({
      clientId: env.CLIENT_ID,
      issuer: env.ISSUER,
      privateKey: env.CLIENT_PRIVATE_KEY,
    }),
    telemetry,
  });
  const auth = createServiceClient({
    name: 'auth',
    baseUrl: env.AUTH_INTERNAL_URL,
    audience: 'urn:taskwire:auth',
    scope: 'users:read',
    tokens,
    telemetry,
  });
  // a separate client, so that a failure with links (such as a scope that Auth doesn't grant yet) affects nothing else
  const authLinks = createServiceClient({
    name: 'auth links',
    baseUrl: env.AUTH_INTERNAL_URL,
    audience: 'urn:taskwire:auth',
    scope: 'account_links:read',
    tokens,
    telemetry,
  });
  const tasks = createServiceClient({
    name: 'tasks',
    baseUrl: env.TASKS_INTERNAL_URL,
    audience: 'urn:taskwire:tasks',
    scope: 'tasks:read',
    tokens,
    telemetry,
  });
  // open from the start; has to be closed at the end
  const component: Component = {
    name: 'clients',
    start: async () => undefined,
    async stop() {
      await Promise.all([auth.close(), authLinks.close(), tasks.close()]);
      await tokens.close();
    },
  };
  return { auth, authLinks, tasks, component, available: () => !auth.open && !tasks.open };
}
