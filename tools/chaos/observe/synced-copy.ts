import { setTimeout as delay } from 'node:timers/promises';
import type { CopiedTask } from '../evidence.ts';
import { admin, type Actor, type KnownState } from '../workload/actors.ts';
import { logIn } from './public-api.ts';

/** A copy of all tasks that only reads the sync feed, as a front end keeps it. */
export type SyncedCopy = {
  /** Reads the rest of the feed, and returns the tasks of the copy. @throws when the feed does not answer, or no longer continues. */
  tasks(): Promise<CopiedTask[]>;
  stop(): Promise<void>;
};

type Page = { data: (CopiedTask | { id: string; deleted: true })[]; next_token: string; more: boolean };

const waitSeconds = 5;
/** Longer than a wait. */
const patienceMs = 15_000;
const pauseMs = 300;

/** Keeps a copy for the admin, who reads every task, from now on until it is stopped. Requests that fail are repeated with the same token. */
export function keepCopy(url: string, known: KnownState): SyncedCopy {
  const reader: Actor = { ...known.users.get(admin)!, ip: '198.51.100.251' };
  const held = new Map<string, CopiedTask>();
  const stopping = new AbortController();
  let token: string | undefined;
  /** The feed never has to start again: no run restores a database, and the admin stays an admin. */
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
    for (const item of page.data) {
      if ('deleted' in item) held.delete(item.id);
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
    async tasks() {
      await stop();
      const deadline = performance.now() + patienceMs;
      for (let more: boolean | undefined = true; more !== false;) {
        if (ended !== undefined) throw new Error(`the sync feed of tasks ended: ${ended}`);
        if (performance.now() > deadline) throw new Error('the sync feed of tasks does not answer');
        more = await readOne(0).catch(() => undefined);
      }
      return [...held.values()].map(({ id, version, state, assignee_id, project_id, updated_at }) => {
        return { id, version, state, assignee_id, project_id, updated_at };
      });
    },
  };
}
