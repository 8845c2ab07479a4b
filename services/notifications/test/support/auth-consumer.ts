import { createM2mTokens, createServiceClient } from '@taskwire/http-client';
import { remoteKeys } from '@taskwire/http-server';
import type { Telemetry } from '@taskwire/telemetry';
import { exampleToken, type AuthConsumer } from '@taskwire/pact-testing';
import type { FindLink } from '../../src/app/ports.ts';
import { findLink } from '../../src/clients/links.ts';
import { createUsersClient, type UsersClient } from '@taskwire/user-directory';

/** The delivery id in the example requests for links. */
export const exampleDeliveryId = '019a9d5e-a4dd-7e6f-9a7b-2b3c4d5e6f71';

/** Requests a link with the same client as in wire/clients.ts. */
export async function askForLink(baseUrl: string, id: string, telemetry: Telemetry): ReturnType<FindLink> {
  const client = createServiceClient({
    name: 'auth links',
    baseUrl,
    audience: 'urn:taskwire:auth',
    scope: 'account_links:read',
    tokens: { get: async () => exampleToken, invalidate: () => undefined, close: async () => undefined },
    telemetry,
  });
  try {
    return await findLink(client)(id, { deliveryId: exampleDeliveryId, signal: AbortSignal.timeout(5_000) });
  } finally {
    await client.close();
  }
}

/** The same Auth clients as in wire/clients.ts. */
export function authConsumer(name: string, telemetry: Telemetry): AuthConsumer {
  async function ask<T>(baseUrl: string, question: (users: UsersClient) => Promise<T>): Promise<T> {
    const client = createServiceClient({
      name: 'auth',
      baseUrl,
      audience: 'urn:taskwire:auth',
      scope: 'users:read',
      tokens: { get: async () => exampleToken, invalidate: () => undefined, close: async () => undefined },
      telemetry,
    });
    try {
      return await question(createUsersClient(client));
    } finally {
      await client.close();
    }
  }

  return {
    name,
    getUser: async (baseUrl, id) => await ask(baseUrl, async (users) => await users.getUser(id)),
    listUsers: async (baseUrl, place) => await ask(baseUrl, async (users) => await users.listUsers(place)),
    async token(baseUrl, { secret, ...wanted }) {
      const tokens = createM2mTokens({
        tokenUrl: `${baseUrl}/oidc/token`,
        clientId: name,
        clientSecret: secret,
        telemetry,
      });
      try {
        return await tokens.get(wanted);
      } catch (error) {
        return error as Error;
      } finally {
        await tokens.close();
      }
    },
    hasKey: async (baseUrl, kid) =>
      (await remoteKeys({ url: `${baseUrl}/oidc/jwks`, telemetry }).keyFor(kid)) !== undefined,
  };
}
