import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { demoPassword } from '../../infra/local/people.ts';
import type { Assigned, Found, Wanted } from './judge.ts';

/**
 * 5 tasks a second: a quarter of the creations that Tasks allows one user (1,200 a minute), and even with the repetitions during an outage, far fewer
 * than the gateway's limit of 100 requests a second.
 */
const pauseMs = 200;
const repeatAfterMs = 1_000;
/** The maximum number of requests that are repeated during an outage; with more, the repetitions could keep the suite from recovering. */
const maxOutstanding = 10;
/** The gateway gives a service 30 s. */
const requestTimeoutMs = 35_000;
/** A request is repeated until it is acknowledged or refused, but for at most this time after the last kill. */
const patienceMs = 60_000;
const pageSize = 100;
const password = demoPassword;
const members = ['ann@taskwire.test', 'ben@taskwire.test', 'cas@taskwire.test'];

export type Workload = {
  /** Resolves once every request has been acknowledged or refused, or its time limit has passed. */
  finish(): Promise<Wanted[]>;
  /** The end state, from the API. */
  observe(): Promise<{ found: Found[]; notified: Assigned[] }>;
};

type Session = { access_token: string; user: { id: string } };
type Page<T> = { data: T[]; next_cursor: string | null };

/** Logs in, and creates tasks for three members at a steady rate until `finish` is called. */
export async function startWorkload(url: string, label: string): Promise<Workload> {
  const boss = await logIn(url, 'manager@taskwire.test');
  const people: Session[] = [];
  for (const email of members) people.push(await logIn(url, email));
  const ending = new AbortController();
  let lastMoment = Infinity;

  async function create(wanted: Wanted): Promise<void> {
    const key = randomUUID();
    while (performance.now() < lastMoment) {
      const response = await fetch(`${url}/api/v1/tasks`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${boss.access_token}`,
          'content-type': 'application/json',
          'idempotency-key': key,
        },
        body: JSON.stringify({ title: wanted.title, assignee_id: wanted.assigneeId }),
        signal: AbortSignal.timeout(requestTimeoutMs),
      }).catch(() => undefined);
      const body = await response?.text().catch(() => undefined);
      if (response?.ok === true && body !== undefined) {
        wanted.acknowledgedId = (JSON.parse(body) as { id: string }).id;
        return;
      }
      if (response !== undefined && isRefusal(response.status))
        throw new Error(`${wanted.title} was refused: ${response.status} ${body}`);
      await delay(repeatAfterMs);
    }
  }

  const all: Wanted[] = [];
  const requests: Promise<unknown>[] = [];
  const steady = (async () => {
    let outstanding = 0;
    for (let n = 0; !ending.signal.aborted;) {
      await delay(pauseMs, undefined, { signal: ending.signal }).catch(() => undefined);
      if (ending.signal.aborted || outstanding >= maxOutstanding) continue;
      const performer = people[n % people.length] as Session;
      const wanted: Wanted = { title: `${label} ${n}`, assigneeId: performer.user.id, acknowledgedId: undefined };
      n += 1;
      outstanding += 1;
      all.push(wanted);
      requests.push(
        create(wanted)
          .then(
            () => undefined,
            (error: unknown) => error,
          )
          .finally(() => (outstanding -= 1)),
      );
    }
  })();

  return {
    async finish() {
      ending.abort();
      lastMoment = performance.now() + patienceMs;
      await steady;
      const refusals = (await Promise.all(requests)).filter((refusal) => refusal instanceof Error);
      if (refusals.length > 0)
        throw new AggregateError(
          refusals,
          `${refusals.length} requests were refused; the first: ${refusals[0]?.message}`,
        );
      return all;
    },
    async observe() {
      const tasks = await list<{ id: string; title: string; assignee: { id: string } | null }>(
        url,
        '/api/v1/tasks',
        boss,
      );
      const notified: Assigned[] = [];
      for (const session of people) {
        const all = await list<{ type: string; task_id: string }>(url, '/api/v1/notifications', session);
        for (const { type, task_id: taskId } of all)
          if (type === 'task.assigned') notified.push({ userId: session.user.id, taskId });
      }
      const found = tasks.map(({ id, title, assignee }) => ({ id, title, assigneeId: assignee?.id }));
      return { found, notified };
    },
  };
}

/** Whether a status is final, so that repeating the request would not help. An outage never causes 401 or 403. */
function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 409 && status !== 425 && status !== 429;
}

async function logIn(url: string, email: string): Promise<Session> {
  return await send<Session>(`${url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password }),
  });
}

async function list<T>(url: string, path: string, session: Session): Promise<T[]> {
  const all: T[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: Page<T> = await send<Page<T>>(
      `${url}${path}?limit=${pageSize}${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
      { headers: { authorization: `Bearer ${session.access_token}` } },
    );
    all.push(...page.data);
    cursor = page.next_cursor;
  }
  return all;
}

async function send<T>(url: string, init: RequestInit): Promise<T> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(requestTimeoutMs) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${init.method ?? 'GET'} ${url} returned ${response.status}: ${text}`);
  return JSON.parse(text) as T;
}
