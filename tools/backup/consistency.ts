import { connected } from './archiving-postgres.ts';

type Urls = { auth: string; tasks: string; notifications: string };
type User = {
  id: string;
  version: number;
  email: string;
  name: string;
  role: string;
  is_deleted: boolean;
  ended: string | null;
};

const authUsers = `
  SELECT id, version, email, name, role, deleted_at IS NOT NULL AS is_deleted, tokens_valid_after::text AS ended FROM users`;
const copiedUsers = `
  SELECT id, version, email, name, role, is_deleted, tokens_valid_after::text AS ended,
    stale_since IS NOT NULL OR deletion_claimed_at IS NOT NULL AS is_open
  FROM directory_users`;

/** The differences between Auth's users and the directories of both services: an empty list means no drift. */
export async function directoryDrift(urls: Urls): Promise<string[]> {
  const users = new Map((await rows<User>(urls.auth, authUsers)).map((user) => [user.id, user]));
  const drift: string[] = [];
  for (const service of ['tasks', 'notifications'] as const) {
    const copies = new Map(
      (await rows<User & { is_open: boolean }>(urls[service], copiedUsers)).map((copy) => [copy.id, copy]),
    );
    for (const [id, user] of users) {
      const copy = copies.get(id);
      if (copy === undefined || copy.is_open)
        drift.push(`${service}: ${id} ${copy === undefined ? 'is missing' : 'is stale'}`);
      else if (user.is_deleted !== copy.is_deleted || (!user.is_deleted && !isSame(user, copy)))
        drift.push(`${service}: ${id} is ${JSON.stringify(copy)} and should be ${JSON.stringify(user)}`);
    }
    for (const [id, copy] of copies)
      if (!users.has(id) && !copy.is_deleted) drift.push(`${service}: ${id} is unknown to Auth`);
  }
  return drift;
}

function isSame(user: User, copy: User): boolean {
  const fields = ['version', 'email', 'name', 'role', 'ended'] as const;
  return fields.every((field) => user[field] === copy[field]);
}

type Task = { id: string; version: number; title: string; is_deleted: boolean };

/** Tasks in the cache of Notifications in a state that Tasks has never had. */
export async function cacheDrift(urls: Urls): Promise<string[]> {
  const tasks = new Map(
    (await rows<Task>(urls.tasks, 'SELECT id, version, title, deleted_at IS NOT NULL AS is_deleted FROM tasks')).map(
      (task) => [task.id, task],
    ),
  );
  const cached = await rows<Task>(urls.notifications, 'SELECT id, version, title, is_deleted FROM task_cache');
  return cached.flatMap((copy) => {
    const task = tasks.get(copy.id);
    if (task === undefined) return [`${copy.id} is cached and unknown to Tasks`];
    const isImpossible =
      copy.version > task.version || (copy.version === task.version && copy.title !== task.title && !copy.is_deleted);
    return isImpossible ? [`${copy.id} is cached in version ${copy.version}, and Tasks has ${task.version}`] : [];
  });
}

export async function rows<R extends object>(url: string, sql: string, values: unknown[] = []): Promise<R[]> {
  return await connected(url, async (client) => (await client.query<R>(sql, values)).rows);
}
