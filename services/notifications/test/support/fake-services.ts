import { randomUUIDv7 } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Role } from '@taskwire/contracts';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

export const issuer = 'http://auth.test/oidc';
export const audience = 'urn:taskwire:notifications';

export type FakeUser = {
  id: string;
  name: string;
  email: string;
  role: Role;
  version: number;
  isDeleted: boolean;
  /** True when absent. */
  emailVerified?: boolean;
};
export type FakeTask = {
  id: string;
  title: string;
  creatorId: string;
  version: number;
  updatedAt: string;
  /** Default: `assigned`, without a known assignee. */
  state?: string;
  assigneeId?: string | null;
};

export type FakeLink = {
  email: string;
  link: string;
  expires_at: string;
  requested?: { at: string; by: string; network: string | null; browser: string | null };
  deleted_unless_verified_by?: string;
};

/** `loggedInAgo`: seconds since the user logged in. */
type TokenOverrides = {
  audience?: string;
  expiresIn?: number;
  emailVerified?: boolean;
  loggedInAgo?: number;
  application?: { clientId: string; scopes: readonly string[] };
};

export type FakeServices = {
  authUrl: string;
  tasksUrl: string;
  users: Map<string, FakeUser>;
  tasks: Map<string, FakeTask | 'deleted'>;
  /** Account links, or why they have ended. */
  links: Map<string, FakeLink | { ended: string }>;
  /** Services that answer 503 to everything except Auth's keys. */
  down: Set<'auth' | 'tasks'>;
  /** The requests received, such as `GET /tasks/…`, oldest first. */
  requests: string[];
  addUser(name: string, role?: Role): FakeUser;
  addTask(creator: FakeUser, title: string): FakeTask;
  userToken(user: { id: string; role: Role }, overrides?: TokenOverrides): Promise<string>;
  serviceToken(overrides?: TokenOverrides): Promise<string>;
  stop(): Promise<void>;
};

/** Fakes the parts of Auth and Tasks that this service uses: keys, service tokens, `GET /users`, `GET /tasks/{id}`. */
export async function startFakeServices(): Promise<FakeServices> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'key', alg: 'ES256', use: 'sig' }] };
  const users: FakeServices['users'] = new Map();
  const tasks: FakeServices['tasks'] = new Map();
  const links: FakeServices['links'] = new Map();
  const down: FakeServices['down'] = new Set();
  const requests: string[] = [];

  async function token(claims: Record<string, unknown>, { audience: aud = audience, expiresIn = 600 }: TokenOverrides) {
    const now = Math.floor(Date.now() / 1000);
    return await new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', kid: 'key', typ: 'at+jwt' })
      .setIssuer(issuer)
      .setAudience(aud)
      .setIssuedAt(now)
      .setExpirationTime(now + expiresIn)
      .setJti(randomUUIDv7())
      .sign(privateKey);
  }

  async function auth(path: string): Promise<[number, unknown]> {
    if (path === '/oidc/jwks') return [200, jwks];
    if (down.has('auth')) return [503, {}];
    if (path === '/oidc/token') {
      const access_token = await token({ sub: 'notifications', client_id: 'notifications', scope: 'any' }, {});
      return [200, { access_token, token_type: 'Bearer', expires_in: 600, scope: 'any' }];
    }
    if (path === '/users') return [200, { data: [...users.values()].map(shownUser), next_cursor: null }];
    if (path.startsWith('/account_links/')) return linkAnswer(links.get(path.replace('/account_links/', '')));
    const user = users.get(path.replace('/users/', ''));
    if (user === undefined) return [404, { code: 'not_found', detail: 'Resource not found.' }];
    return user.isDeleted ? [410, { code: 'gone', detail: 'It was deleted.' }] : [200, shownUser(user)];
  }

  async function tasksAnswer(path: string): Promise<[number, unknown]> {
    if (down.has('tasks')) return [503, {}];
    const task = tasks.get(path.replace('/tasks/', ''));
    if (task === undefined) return [404, { code: 'not_found', detail: 'Resource not found.' }];
    return task === 'deleted' ? [410, { code: 'gone', detail: 'It was deleted.' }] : [200, shownTask(task)];
  }

  async function serve(answer: (path: string) => Promise<[number, unknown]>) {
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://other.test');
      requests.push(`${request.method} ${pathname}`);
      void answer(pathname).then(([status, body]) => {
        response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' });
        response.end(JSON.stringify(body));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const stop = async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    };
    return { url: `http://127.0.0.1:${port}`, stop };
  }

  const [authServer, tasksServer] = [await serve(auth), await serve(tasksAnswer)];
  return {
    authUrl: authServer.url,
    tasksUrl: tasksServer.url,
    users,
    tasks,
    links,
    down,
    requests,
    addUser(name, role = 'member') {
      const id = randomUUIDv7();
      // mailboxes are unique, so that each test finds its own mail
      const user = { id, name, email: `${name.toLowerCase()}-${id}@taskwire.test`, role, version: 1, isDeleted: false };
      users.set(id, user);
      return user;
    },
    addTask(creator, title) {
      const task = {
        id: randomUUIDv7(),
        title,
        creatorId: creator.id,
        version: 1,
        updatedAt: new Date().toISOString(),
      };
      tasks.set(task.id, task);
      return task;
    },
    userToken: async ({ id, role }, { emailVerified = true, ...overrides } = {}) => {
      const claims = { sub: id, role, email_verified: emailVerified, sid: id };
      return await token({ ...claims, ...heldBy(overrides) }, overrides);
    },
    serviceToken: async (overrides = {}) => {
      const scope = overrides.application?.scopes.join(' ') ?? 'any';
      return await token({ sub: 'tasks', client_id: 'tasks', scope }, overrides);
    },
    async stop() {
      await Promise.all([authServer.stop(), tasksServer.stop()]);
    },
  };
}

/** The claims about the client that holds a token: our own front end, or another application. */
function heldBy({ application = { clientId: 'first-party', scopes: [] }, loggedInAgo = 0 }: TokenOverrides) {
  const { clientId, scopes } = application;
  return { client_id: clientId, scope: scopes.join(' '), auth_time: Math.floor(Date.now() / 1000) - loggedInAgo };
}

function linkAnswer(link: FakeLink | { ended: string } | undefined): [number, unknown] {
  if (link === undefined) return [404, { code: 'not_found', detail: 'Resource not found.' }];
  return 'ended' in link ? [410, { code: 'gone', detail: link.ended }] : [200, link];
}

function shownUser({ isDeleted, emailVerified = true, ...user }: FakeUser) {
  return {
    ...user,
    is_deleted: isDeleted,
    email_verified: emailVerified,
    tokens_valid_after: null,
    created_at: '2026-01-01T00:00:00.000000Z',
    // each version is one second later than the one before
    updated_at: new Date(Date.UTC(2026, 0, 1) + user.version * 1000).toISOString(),
  };
}

function shownTask(task: FakeTask) {
  return {
    id: task.id,
    title: task.title,
    description: '',
    state: task.state ?? 'assigned',
    priority: 'normal',
    due_at: null,
    labels: [],
    creator_id: task.creatorId,
    assignee_id: task.assigneeId ?? null,
    creator: { id: task.creatorId, name: 'Mia' },
    assignee: null,
    version: task.version,
    created_at: task.updatedAt,
    updated_at: task.updatedAt,
  };
}
