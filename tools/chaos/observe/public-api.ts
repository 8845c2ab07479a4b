import { setTimeout as delay } from 'node:timers/promises';
import type { JourneyOfTask, World } from '../evidence.ts';
import { admin, type Actor, type KnownState } from '../workload/actors.ts';

type Listed = Pick<World, 'listedTasks' | 'listedNotifications' | 'deletedAccess' | 'journeys'>;

/** Paths of each service that any logged-in user may read. */
const openPaths = ['/api/v1/users/me', '/api/v1/tasks?limit=1', '/api/v1/notifications?limit=1'];

/** The final state as users see it through the gateway, and the journeys of these tasks. */
export async function readPublicApi(url: string, known: KnownState, taskIds: readonly string[]): Promise<Listed> {
  const users = [...known.users.values()];
  const boss = known.users.get(admin)!;
  const listedNotifications: World['listedNotifications'] = [];
  for (const user of users) {
    if (user.isDeleted || user.id === undefined || !(await logIn(url, user))) continue;
    const list = await readPages<{ id: string }>(url, user, '/api/v1/notifications');
    listedNotifications.push({ userId: user.id, ids: list.map(({ id }) => id) });
  }
  const deletedAccess: World['deletedAccess'] = [];
  for (const user of users) {
    if (!user.isDeleted || user.id === undefined || user.token === undefined) continue;
    // a deletion without a response may not have happened
    if ((await request(url, boss, `/api/v1/users/${user.id}`)).status !== 410) continue;
    for (const path of openPaths) {
      const { status } = await request(url, user, path);
      deletedAccess.push({ userId: user.id, path, status });
    }
  }
  const journeys = await readJourneys(url, boss, taskIds);
  return { listedTasks: await readPages(url, boss, '/api/v1/tasks'), listedNotifications, deletedAccess, journeys };
}

async function readJourneys(url: string, boss: Actor, taskIds: readonly string[]): Promise<JourneyOfTask[]> {
  const journeys: JourneyOfTask[] = [];
  for (const [n, taskId] of taskIds.entries()) {
    // the limit of requests counts addresses
    const reader = { ...boss, ip: `198.51.100.${n % 250}` };
    const events = await readPages<JourneyOfTask['events'][number]>(
      url,
      reader,
      `/api/v1/admin/journeys/tasks/${taskId}`,
    );
    const messages = await readPages<JourneyOfTask['messages'][number]>(
      url,
      reader,
      `/api/v1/admin/journeys/notifications/${taskId}`,
    );
    journeys.push({ taskId, events, messages });
  }
  return journeys;
}

async function readPages<T>(url: string, user: Actor, path: string): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const next: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    let { status, body } = await request(url, user, `${path}?limit=100${next}`);
    // in a long run, the token may have expired since the log-in
    if (status === 401 && (await logIn(url, user)))
      ({ status, body } = await request(url, user, `${path}?limit=100${next}`));
    if (status !== 200) throw new Error(`GET ${path} answered ${status} to ${user.name}`);
    const page = body as { data: T[]; next_cursor: string | null };
    items.push(...page.data);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return items;
}

/** Returns false for a user who cannot log in: the user requested the deletion of the account and got no response. */
export async function logIn(url: string, user: Actor): Promise<boolean> {
  if (user.token !== undefined && (await request(url, user, '/api/v1/users/me')).status === 200) return true;
  const { email, password, ip } = user;
  const response = await fetch(`${url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-forwarded-for': ip },
    body: JSON.stringify({ email, password }),
  });
  if (response.status !== 200) return false;
  user.token = ((await response.json()) as { access_token: string }).access_token;
  return true;
}

async function request(url: string, user: Actor, path: string): Promise<{ status: number; body: unknown }> {
  for (let tries = 1; ; tries++) {
    const response = await fetch(`${url}${path}`, {
      headers: { authorization: `Bearer ${user.token}`, 'x-forwarded-for': user.ip },
      signal: AbortSignal.timeout(10_000),
    });
    const body: unknown = await response.json();
    // one address may send 100 requests a second
    if (response.status !== 429 || tries === 20) return { status: response.status, body };
    await delay(500);
  }
}
