import { setTimeout as delay } from 'node:timers/promises';
import type { CopiedTask, MemberCopy } from '../evidence.ts';
import type { Actor, KnownState } from '../workload/actors.ts';
import { logIn } from './public-api.ts';

/** A copy of the tasks that a user may read. It only reads the sync feed, as a front end does. */
export type SyncedCopy = {
  /** Reads the rest of the feed, and returns the copy. @throws when the feed does not answer, or no longer continues. */
  read(): Promise<MemberCopy>;
  stop(): Promise<void>;
};

type Page = {
  data: (CopiedTask | { id: string; deleted: true })[];
  projects: { project_id: string; access: 'gained' | 'lost' }[];
  next_token: string;
  more: boolean;
};

const waitSeconds = 5;
/** Longer than a wait. */
const patienceMs = 15_000;
const pauseMs = 300;

/** Keeps the copy of a user from now on until it is stopped. Requests that fail are repeated with the same token. */
export function keepCopy(url: string, known: KnownState, o: { user: string; ip: string }): SyncedCopy {
  const reader: Actor = { ...known.users.get(o.user)!, ip: o.ip };
  const counts = { removed: 0, gained: 0, lost: 0 };
  const held = new Map<string, CopiedTask>();
  const stopping = new AbortController();
  let token: string | undefined;
  /** The feed never has to start again: no run restores a database, and the user keeps their role. */
  let ended: string | undefined;

  /** Applies one page. @returns whether another one follows; undefined if it did not arrive. */
  async function readOne(wait: number, signal = AbortSignal.timeout(patienceMs)): Promise<boolean | undefined> {
    const parameters = `limit=500&wait=${wait}${token === undefined ? '' : `&token=${encodeURIComponent(token)}`}`;
    const response = await fetch(`${url}/api/v1/sync/tasks?${parameters}`, {
      headers: { authorization: `Bearer ${reader.token}`, 'x-forwarded-for': reader.ip },
      signal,
    });
    if (response.status === 401) await logIn(url, reader);
    if (response.status === 410) ended = await response.text();
    if (response.status !== 200) return undefined;
    const page = (await response.json()) as Page;
    for (const { project_id: id, access } of page.projects) {
      counts[access] += 1;
      if (access === 'lost') for (const task of held.values()) if (task.project_id === id) held.delete(task.id);
    }
    for (const item of page.data) {
      if ('deleted' in item) counts.removed += held.delete(item.id) ? 1 : 0;
      else held.set(item.id, item);
    }
    token = page.next_token;
    return page.more;
  }

  async function follow(): Promise<void> {
    while (!stopping.signal.aborted && ended === undefined) {
      const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(patienceMs)]);
      const more = await readOne(waitSeconds, signal).catch(() => undefined);
      if (more === undefined) await delay(pauseMs);
    }
  }

  const following = follow();
  const stop = async (): Promise<void> => {
    stopping.abort();
    await following;
  };
  return {
    stop,
    async read() {
      await stop();
      const deadline = performance.now() + patienceMs;
      for (let more: boolean | undefined = true; more !== false;) {
        if (ended !== undefined) throw new Error(`the sync feed of tasks ended: ${ended}`);
        if (performance.now() > deadline) throw new Error('the sync feed of tasks does not answer');
        more = await readOne(0).catch(() => undefined);
      }
      const tasks = [...held.values()].map(({ id, version, state, assignee_id, project_id, updated_at }) => {
        return { id, version, state, assignee_id, project_id, updated_at };
      });
      return { tasks, counts };
    },
  };
}
