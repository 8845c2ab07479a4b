import { randomUUID } from 'node:crypto';
import { expectStatus, idOf, logIn, send, type Session } from './front-end.ts';
import { rows } from './consistency.ts';
import { until } from './archiving-postgres.ts';

export type ServiceName = 'auth' | 'tasks' | 'notifications';

export type People = { admin: Session; manager: Session; members: readonly Session[] };

export type Stage = {
  /** The gateway. */
  url: string;
  databaseUrl(service: ServiceName): string;
  people: People;
};

/** The data that one service must still have, and the data that it must have lost. Every check throws an error that describes the difference. */
export type Scenario = {
  /** Makes changes that are acknowledged just before the restored time. */
  before(): Promise<void>;
  /** Makes changes that are acknowledged after that time, and that other services have received. */
  after(): Promise<void>;
  /** Checks the service once it runs again. */
  check(): Promise<void>;
};

/** Other services learn of a change within a second; on a loaded machine it may take longer. */
const propagationMs = 30_000;

export function scenarioOf(service: ServiceName, stage: Stage): Scenario {
  switch (service) {
    case 'auth':
      return authScenario(stage);
    case 'tasks':
      return tasksScenario(stage);
    case 'notifications':
      return notificationsScenario(stage);
  }
}

function authScenario({ url, databaseUrl, people: { admin } }: Stage): Scenario {
  const create = async (role: string): Promise<Session> => {
    const [email, password] = [`${role}-${randomUUID()}@taskwire.test`, randomUUID()];
    const body = { email, password, name: `Drill ${role}`, role, current_password: admin.password };
    expectStatus(await admin.call('POST', '/api/v1/users', body), 201, `a new ${role}`);
    return await logIn(url, email, password);
  };
  let kept: Session, deleted: Session, demoted: Session, changed: Session, lost: Session;
  const proof = { current_password: admin.password };
  const anyVersion = { 'if-match': '*' };

  return {
    async before() {
      [deleted, demoted, changed, kept] = [
        await create('member'),
        await create('admin'),
        await create('member'),
        await create('member'),
      ];
    },
    async after() {
      const path = (user: Session) => `/api/v1/users/${user.id}`;
      expectStatus(await admin.call('DELETE', path(deleted), proof, anyVersion), 204, 'a deletion');
      const lower = { role: 'member', ...proof };
      expectStatus(await admin.call('PATCH', path(demoted), lower, anyVersion), 200, 'a demotion');
      const passwords = { current_password: changed.password, new_password: randomUUID() };
      expectStatus(await changed.call('POST', '/api/v1/auth/change_password', passwords), 200, 'a new password');
      lost = await create('manager');
      for (const service of ['tasks', 'notifications'] as const) {
        const seen = async () => {
          const found = await rows<{ id: string }>(
            databaseUrl(service),
            `SELECT id FROM directory_users WHERE (id = $1 AND is_deleted) OR (id = $2 AND role = 'member')
               OR (id = $3 AND tokens_valid_after IS NOT NULL) OR (id = $4 AND version > 0)`,
            [deleted.id, demoted.id, changed.id, lost.id],
          );
          return found.length === 4;
        };
        await until(seen, propagationMs, `the directory of ${service} to have the changes`);
      }
    },
    async check() {
      await refused(kept, 'a session from before the restore');
      await logIn(url, kept.email, kept.password);
      for (const user of [deleted, demoted, changed, lost]) {
        const { status } = await send(url, 'POST', '/api/v1/auth/login', {
          body: { email: user.email, password: user.password },
        });
        if (status !== 401) throw new Error(`${user.email} logs in with a password from before the restore: ${status}`);
        await refused(user, 'a session of a user whose rights were revoked');
      }
      const again = await logIn(url, admin.email, admin.password);
      for (const [user, role] of [
        [demoted, 'member'],
        [changed, 'member'],
        [lost, 'member'],
      ] as const) {
        const body = expectStatus(await again.call('GET', `/api/v1/users/${user.id}`), 200, 'a user');
        if (body['role'] !== role) throw new Error(`${user.email} is ${String(body['role'])} and should be ${role}`);
      }
      expectStatus(await again.call('GET', `/api/v1/users/${deleted.id}`), 410, 'a user deleted in the lost period');
    },
  };

  async function refused(user: Session, what: string): Promise<void> {
    for (const path of ['/api/v1/users/me', '/api/v1/tasks', '/api/v1/notifications'])
      await until(
        async () => (await user.call('GET', path)).status === 401,
        propagationMs,
        `401 at ${path} for ${what}`,
      );
  }
}

function tasksScenario({ databaseUrl, people: { manager, members } }: Stage): Scenario {
  const performer = members[0] ?? manager;
  const create = async (title: string): Promise<string> => {
    const body = { title, assignee_id: performer.id };
    return idOf(expectStatus(await manager.call('POST', '/api/v1/tasks', body), 201, 'a new task'));
  };
  const notified = async (taskId: string): Promise<{ missing: boolean }[]> =>
    await rows(
      databaseUrl('notifications'),
      'SELECT task_missing_since IS NOT NULL AS missing FROM notifications WHERE task_id = $1',
      [taskId],
    );
  let kept = '';
  let lost = '';
  let lostTag = '';

  return {
    async before() {
      kept = await create('Kept');
    },
    async after() {
      const read = await manager.call('GET', `/api/v1/tasks/${kept}`);
      const change = { title: 'Changed in the lost period' };
      const changed = await manager.call('PATCH', `/api/v1/tasks/${kept}`, change, { 'if-match': read.etag ?? '' });
      expectStatus(changed, 200, 'a change');
      lostTag = changed.etag ?? '';
      lost = await create('Lost');
      await until(async () => (await notified(lost)).length > 0, propagationMs, 'the notification about the task');
    },
    async check() {
      const read = await manager.call('GET', `/api/v1/tasks/${kept}`);
      const { title, version } = expectStatus(read, 200, 'the task from before');
      if (title !== 'Kept' || version !== 1)
        throw new Error(`the task is ${String(title)} in version ${String(version)}`);
      if (read.etag?.startsWith('"e2-1-') !== true) throw new Error(`the entity tag is ${String(read.etag)}`);
      expectStatus(await manager.call('GET', `/api/v1/tasks/${lost}`), 404, 'the task of the lost period');
      const marks = await notified(lost);
      if (marks.length === 0 || marks.some(({ missing }) => !missing))
        throw new Error('a notification about a lost task is not marked');
      // the version in the tag exists again, with different content
      const again = async (tag: string) =>
        await manager.call('PATCH', `/api/v1/tasks/${kept}`, { title: 'Changed again' }, { 'if-match': tag });
      expectStatus(await again(read.etag), 200, 'a change of the current version');
      expectStatus(await again(lostTag), 412, 'a change with the tag of a lost version');
    },
  };
}

function notificationsScenario({ databaseUrl, people: { manager, members } }: Stage): Scenario {
  const reader = members[0] ?? manager;
  const url = databaseUrl('notifications');
  const assign = async (title: string): Promise<string> => {
    const body = { title, assignee_id: reader.id };
    const id = idOf(expectStatus(await manager.call('POST', '/api/v1/tasks', body), 201, 'a new task'));
    const about = 'SELECT id FROM notifications WHERE task_id = $1';
    await until(async () => (await rows(url, about, [id])).length > 0, propagationMs, 'its notification');
    const [notification] = await rows<{ id: string }>(url, about, [id]);
    return notification?.id ?? '';
  };
  const isRead = async (id: string): Promise<boolean> =>
    (await rows(url, 'SELECT FROM notifications WHERE id = $1 AND read_at IS NOT NULL', [id])).length > 0;
  let read = '';
  let unread = '';

  return {
    async before() {
      [read, unread] = [await assign('Read'), await assign('Unread')];
      expectStatus(await reader.call('POST', `/api/v1/notifications/${read}/read`), 200, 'reading');
    },
    async after() {
      expectStatus(await reader.call('POST', `/api/v1/notifications/${unread}/read`), 200, 'reading');
    },
    async check() {
      if (!(await isRead(read))) throw new Error('a notification that was read before is unread');
      if (await isRead(unread)) throw new Error('a notification that was read in the lost period is read');
      const lent = await rows(
        url,
        `SELECT FROM deliveries, source_epoch
         WHERE created_at < raised_at AND next_attempt_at IS NOT NULL AND state IN ('pending', 'sending') AND unknown_outcomes = 0`,
      );
      if (lent.length > 0)
        throw new Error(`${lent.length} deliveries from before the restore are sent as if they were new`);
    },
  };
}
