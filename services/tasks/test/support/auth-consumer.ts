import { createM2mTokens, createServiceClient } from '@taskwire/http-client';
import { remoteKeys } from '@taskwire/http-server';
import type { Telemetry } from '@taskwire/telemetry';
import { exampleToken, type AuthConsumer } from '@taskwire/pact-testing';
import { createUsersClient, type UsersClient } from '@taskwire/user-directory';

/** The same Auth clients as in wire.ts. */
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
