import { createM2mTokens, createServiceClient, type ServiceClient } from '@taskwire/http-client';
import { remoteKeys } from '@taskwire/http-server';
import { authUsers, type ServiceTarget } from '@taskwire/service';
import type { Telemetry } from '@taskwire/telemetry';
import { createUsersClient, type UsersClient } from '@taskwire/user-directory';
import type { AuthConsumer } from './auth-pact.ts';
import { exampleToken } from './pacts.ts';

/** Reads from a provider with a service's own client for `target`; uses the token of the examples. */
export async function readAsConsumer<T>(
  target: ServiceTarget,
  telemetry: Telemetry,
  read: (client: ServiceClient) => Promise<T>,
): Promise<T> {
  const tokens = { get: async () => exampleToken, invalidate: () => undefined, close: async () => undefined };
  const client = createServiceClient({ ...target, tokens, telemetry });
  try {
    return await read(client);
  } finally {
    await client.close();
  }
}

/** A service with a user directory as a consumer of Auth, with the same clients as the service itself. */
export function authConsumer(name: string, telemetry: Telemetry): AuthConsumer {
  const ask = async <T>(baseUrl: string, question: (users: UsersClient) => Promise<T>): Promise<T> =>
    await readAsConsumer(authUsers({ AUTH_INTERNAL_URL: baseUrl }), telemetry, async (client) =>
      question(createUsersClient(client)),
    );
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
