import type { ClientEnv } from '@taskwire/env';
import { createM2mTokens, createServiceClient, privateKeyJwt, type ServiceClient } from '@taskwire/http-client';
import type { Component } from '@taskwire/lifecycle';
import type { Telemetry } from '@taskwire/telemetry';

/** The target of a client: a service's internal API, and the token that it requires. */
export type ServiceTarget = {
  /** Named in logs and metrics. */
  name: string;
  baseUrl: string;
  audience: string;
  scope: string;
};

type Env = ClientEnv & { AUTH_INTERNAL_URL: string; ISSUER: string };

/** The client target for reading Auth's users, as every user directory does. */
export function authUsers(env: Pick<Env, 'AUTH_INTERNAL_URL'>): ServiceTarget {
  return { name: 'auth', baseUrl: env.AUTH_INTERNAL_URL, audience: 'urn:taskwire:auth', scope: 'users:read' };
}

/** Creates the clients of other services. They share their m2m tokens, and `component` closes them. */
export function serviceClients<N extends string>(
  env: Env,
  telemetry: Telemetry,
  targets: Readonly<Record<N, ServiceTarget>>,
): { clients: Readonly<Record<N, ServiceClient>>; component: Component } {
  const tokens = createM2mTokens({
    tokenUrl: `${env.AUTH_INTERNAL_URL}/oidc/token`,
    authentication: privateKeyJwt({
      clientId: env.CLIENT_ID,
      issuer: env.ISSUER,
      privateKey: env.CLIENT_PRIVATE_KEY,
    }),
    telemetry,
  });
  const entries = Object.entries<ServiceTarget>(targets).map(
    ([key, target]) => [key, createServiceClient({ ...target, tokens, telemetry })] as const,
  );
  return {
    clients: Object.fromEntries(entries) as Record<N, ServiceClient>,
    component: {
      name: 'clients',
      // needs no start, but must be closed with the service
      start: async () => undefined,
      async stop() {
        await Promise.all(entries.map(async ([, client]) => await client.close()));
        await tokens.close();
      },
    },
  };
}
