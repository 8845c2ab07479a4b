import type { Role } from '@taskwire/contracts';
import {
  createTokenIssuer,
  gone,
  notFound,
  startFakeService,
  type FakeResponse,
  type TokenIssuer,
  type TokenOverrides,
} from '@taskwire/testing';

export const audience = 'urn:taskwire:tasks';

export type FakeUser = {
  id: string;
  name: string;
  role: Role;
  version: number;
  is_deleted: boolean;
  /** True when absent. */
  email_verified?: boolean;
};

export type FakeAuth = {
  url: string;
  issuer: string;
  /** The users that `GET /users` returns. */
  users: Map<string, FakeUser>;
  /** The queues of registered clients, which `GET /queues` returns. */
  queues: Set<string>;
  /** Changes a user. Returns the time of the change, as in the event. */
  change(id: string, change: Partial<Pick<FakeUser, 'role' | 'name' | 'is_deleted' | 'email_verified'>>): string;
  /** The status of every response except that for the signing keys; undefined to serve normally. */
  outage: number | undefined;
  /** An access token of a user. */
  userToken: TokenIssuer['userToken'];
  /** An access token of a service. */
  serviceToken(scope: string, overrides?: TokenOverrides): Promise<string>;
  /** Issues an access token of a client that is registered for queues. */
  workerToken(client: { clientId: string; scope: string; queues: readonly string[] }): Promise<string>;
  stop(): Promise<void>;
};

/** Fakes the parts of Auth that Tasks uses: signing keys, service tokens, users and queues. */
export async function startFakeAuth(): Promise<FakeAuth> {
  const { issuer, jwks, userToken, serviceToken } = await createTokenIssuer(audience);
  const users = new Map<string, FakeUser>();
  const queues = new Set<string>();
  const fake = { outage: undefined as number | undefined };

  const shown = (user: FakeUser) => ({
    email_verified: true,
    ...user,
    email: `${user.name.toLowerCase()}@taskwire.test`,
    tokens_valid_after: null,
    created_at: '2026-01-01T00:00:00.000000Z',
    updated_at: changedAt(user),
  });

  async function respond(path: string): Promise<FakeResponse> {
    if (path === '/oidc/jwks') return [200, jwks];
    if (fake.outage !== undefined) return [fake.outage, {}];
    if (path === '/oidc/token') {
      const access_token = await serviceToken({ clientId: 'tasks', scope: 'users:read' });
      return [200, { access_token, token_type: 'Bearer', expires_in: 600, scope: 'users:read' }];
    }
    if (path === '/users') return [200, { data: [...users.values()].map(shown), next_cursor: null }];
    if (path === '/queues') return [200, { data: [...queues], more: false }];
    const user = users.get(path.replace('/users/', ''));
    if (user === undefined) return notFound;
    return user.is_deleted ? gone : [200, shown(user)];
  }

  const { url, stop } = await startFakeService(respond);
  return Object.assign(fake, {
    url,
    issuer,
    users,
    queues,
    change: (id: string, change: Partial<FakeUser>) => {
      const before = users.get(id);
      if (before === undefined) throw new Error(`there is no user ${id}`);
      const user = { ...before, ...change, version: before.version + 1 };
      users.set(id, user);
      return changedAt(user);
    },
    userToken,
    serviceToken: async (scope: string, overrides?: TokenOverrides) =>
      await serviceToken({ clientId: 'notifications', scope }, overrides),
    workerToken: async ({ queues, ...client }: { clientId: string; scope: string; queues: readonly string[] }) =>
      await serviceToken(client, { queues }),
    stop,
  });
}

/** Each version is one second later than the previous one. */
function changedAt(user: FakeUser): string {
  return new Date(Date.UTC(2026, 0, 1) + user.version * 1000).toISOString();
}
