import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { Role } from '@taskwire/contracts';

const issuer = 'http://auth.test/oidc';
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
  /** Changes a user. Returns the time of the change, as in the event. */
  change(id: string, change: Partial<Pick<FakeUser, 'role' | 'name' | 'is_deleted' | 'email_verified'>>): string;
  /** The status of every response except the signing keys; undefined to serve normally. */
  outage: number | undefined;
  /** An access token of a user. */
  userToken(user: { id: string; role: Role }, overrides?: TokenOverrides): Promise<string>;
  /** An access token of a service. */
  serviceToken(scope: string, overrides?: TokenOverrides): Promise<string>;
  stop(): Promise<void>;
};

/** `loggedInAgo`: seconds since the user logged in. */
type TokenOverrides = {
  audience?: string;
  expiresIn?: number;
  emailVerified?: boolean;
  loggedInAgo?: number;
  application?: { clientId: string; scopes: readonly string[] };
};

/** Fakes the parts of Auth that Tasks uses: signing keys, service tokens and users. */
export async function startFakeAuth(): Promise<FakeAuth> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'key', alg: 'ES256', use: 'sig' }] };
  const users = new Map<string, FakeUser>();
  const fake = { outage: undefined as number | undefined };

  async function token(claims: Record<string, unknown>, { audience: aud = audience, expiresIn = 600 }: TokenOverrides) {
    const now = Math.floor(Date.now() / 1000);
    return await new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', kid: 'key', typ: 'at+jwt' })
      .setIssuer(issuer)
      .setAudience(aud)
      .setIssuedAt(now)
      .setExpirationTime(now + expiresIn)
      .setJti(crypto.randomUUID())
      .sign(privateKey);
  }

  const shown = (user: FakeUser) => ({
    email_verified: true,
    ...user,
    email: `${user.name.toLowerCase()}@taskwire.test`,
    tokens_valid_after: null,
    created_at: '2026-01-01T00:00:00.000000Z',
    updated_at: changedAt(user),
  });

  async function answer(path: string): Promise<[number, unknown]> {
    if (path === '/oidc/jwks') return [200, jwks];
    if (fake.outage !== undefined) return [fake.outage, {}];
    if (path === '/oidc/token') {
      const access_token = await token({ sub: 'tasks', client_id: 'tasks', scope: 'users:read' }, {});
      return [200, { access_token, token_type: 'Bearer', expires_in: 600, scope: 'users:read' }];
    }
    if (path === '/users') return [200, { data: [...users.values()].map(shown), next_cursor: null }];
    const user = users.get(path.replace('/users/', ''));
    if (user === undefined) return [404, { code: 'not_found', detail: 'Resource not found.' }];
    return user.is_deleted ? [410, { code: 'gone', detail: 'It was deleted.' }] : [200, shown(user)];
  }

  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://auth.test');
    void answer(pathname).then(([status, body]) => {
      response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' });
      response.end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  return Object.assign(fake, {
    url: `http://127.0.0.1:${port}`,
    issuer,
    users,
    change: (id: string, change: Partial<FakeUser>) => {
      const before = users.get(id);
      if (before === undefined) throw new Error(`there is no user ${id}`);
      const user = { ...before, ...change, version: before.version + 1 };
      users.set(id, user);
      return changedAt(user);
    },
    userToken: async (
      user: { id: string; role: Role },
      { emailVerified = true, ...overrides }: TokenOverrides = {},
    ) => {
      const claims = {
        sub: user.id,
        role: user.role,
        email_verified: emailVerified,
        sid: user.id,
      };
      return await token({ ...claims, ...heldBy(overrides) }, overrides);
    },
    serviceToken: async (scope: string, overrides: TokenOverrides = {}) =>
      await token({ sub: 'notifications', client_id: 'notifications', scope }, overrides),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

/** The claims about the client that holds a token: our own front end, or another application. */
function heldBy({ application = { clientId: 'first-party', scopes: [] }, loggedInAgo = 0 }: TokenOverrides) {
  const { clientId, scopes } = application;
  return { client_id: clientId, scope: scopes.join(' '), auth_time: Math.floor(Date.now() / 1000) - loggedInAgo };
}

/** Each version is one second later than the one before. */
function changedAt(user: FakeUser): string {
  return new Date(Date.UTC(2026, 0, 1) + user.version * 1000).toISOString();
}
