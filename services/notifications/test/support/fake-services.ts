import { randomUUIDv7 } from 'node:crypto';
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
  /** Default: null. */
  dueAt?: string | null;
  /** Default: null, for a task that every user reads. */
  readers?: readonly string[] | null;
};

export type FakeLink = {
  email: string;
  link: string;
  expires_at: string;
  requested?: { at: string; by: string; network: string | null; browser: string | null };
  deleted_unless_verified_by?: string;
};

export type FakeServices = {
  issuer: string;
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
  userToken: TokenIssuer['userToken'];
  serviceToken(overrides?: TokenOverrides): Promise<string>;
  stop(): Promise<void>;
};

/** Fakes the parts of Auth and Tasks that this service uses: keys, service tokens, `GET /users`, `GET /tasks`, `GET /tasks/{id}`. */
export async function startFakeServices(): Promise<FakeServices> {
  const { issuer, jwks, userToken, serviceToken } = await createTokenIssuer(audience);
  const users: FakeServices['users'] = new Map();
  const tasks: FakeServices['tasks'] = new Map();
  const links: FakeServices['links'] = new Map();
  const down: FakeServices['down'] = new Set();
  const requests: string[] = [];

  async function auth(path: string): Promise<FakeResponse> {
    if (path === '/oidc/jwks') return [200, jwks];
    if (down.has('auth')) return [503, {}];
    if (path === '/oidc/token') {
      const access_token = await serviceToken({ clientId: 'notifications', scope: 'any' });
      return [200, { access_token, token_type: 'Bearer', expires_in: 600, scope: 'any' }];
    }
    if (path === '/users') return [200, { data: [...users.values()].map(shownUser), next_cursor: null }];
    if (path.startsWith('/account_links/')) return linkAnswer(links.get(path.replace('/account_links/', '')));
    const user = users.get(path.replace('/users/', ''));
    if (user === undefined) return notFound;
    return user.isDeleted ? gone : [200, shownUser(user)];
  }

  async function tasksAnswer(path: string, query: URLSearchParams): Promise<FakeResponse> {
    if (down.has('tasks')) return [503, {}];
    if (path === '/tasks') {
      const ids = query.get('ids')?.split(',') ?? [];
      const found = ids.flatMap((id) => tasks.get(id) ?? []).filter((task) => task !== 'deleted');
      return [200, { data: found.map(shownTask), deleted: ids.filter((id) => tasks.get(id) === 'deleted') }];
    }
    const task = tasks.get(path.replace('/tasks/', ''));
    if (task === undefined) return notFound;
    return task === 'deleted' ? gone : [200, shownTask(task)];
  }

  const recorded =
    (respond: (path: string, query: URLSearchParams) => Promise<FakeResponse>) =>
    async (path: string, method: string, query: URLSearchParams) => {
      requests.push(`${method} ${path}`);
      return await respond(path, query);
    };

  const [authServer, tasksServer] = [
    await startFakeService(recorded(auth)),
    await startFakeService(recorded(tasksAnswer)),
  ];
  return {
    issuer,
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
    userToken,
    serviceToken: async (overrides = {}) => {
      const scope = overrides.application?.scopes.join(' ') ?? 'any';
      return await serviceToken({ clientId: 'tasks', scope }, overrides);
    },
    async stop() {
      await Promise.all([authServer.stop(), tasksServer.stop()]);
    },
  };
}

function linkAnswer(link: FakeLink | { ended: string } | undefined): FakeResponse {
  if (link === undefined) return notFound;
  return 'ended' in link ? [410, { code: 'gone', detail: link.ended }] : [200, link];
}

function shownUser({ isDeleted, emailVerified = true, ...user }: FakeUser) {
  return {
    ...user,
    is_deleted: isDeleted,
    email_verified: emailVerified,
    tokens_valid_after: null,
    created_at: '2026-01-01T00:00:00.000000Z',
    // each version is one second later than the previous one
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
    due_at: task.dueAt ?? null,
    due_time_zone: null,
    due_all_day: false,
    remind_before: 'P1D',
    labels: [],
    project_id: null,
    readers: task.readers ?? null,
    creator_id: task.creatorId,
    assignee_id: task.assigneeId ?? null,
    creator: { id: task.creatorId, name: 'Mia' },
    assignee: null,
    version: task.version,
    created_at: task.updatedAt,
    updated_at: task.updatedAt,
  };
}
