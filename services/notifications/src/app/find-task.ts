import type { FindTask, FindTaskNow, TaskAnswer, TaskNow, Unavailable } from './ports.ts';

/** A task as Tasks answers it. */
export type FetchedTask = {
  id: string;
  title: string;
  state: string;
  creatorId: string;
  assigneeId: string | null;
  version: number;
  updatedAt: string;
};

export type FetchTask = (
  id: string,
  signal: AbortSignal,
) => Promise<{ kind: 'ok'; value: FetchedTask } | { kind: 'gone' } | { kind: 'not_found' } | Unavailable>;

export type TaskCache = {
  /** The cached state, unless something may have happened up to `asOf` that is missing in it. */
  read(id: string, asOf: string): Promise<TaskAnswer | undefined>;
  /** Keeps a state that was fetched after `asOf`, unless a newer one is there. */
  store(task: FetchedTask, asOf: string): Promise<void>;
  /** Marks the task as deleted at `asOf`, and gives what was known of it. */
  storeDeleted(id: string, asOf: string): Promise<TaskAnswer>;
  /** What was known last, and for how many milliseconds; undefined when it is not known where the task stands. */
  readLast(id: string): Promise<{ now: TaskNow; ageMs: number } | undefined>;
};

/**
 * Reads through the cache. The time of the event decides whether to ask Tasks, the fetched version what is kept; so a storm of events for
 * one task is one request, whose answer is as new as all those that were committed before it.
 */
export function findTask({ cache, fetchTask }: { cache: TaskCache; fetchTask: FetchTask }): FindTask {
  return async (id, asOf, signal) => {
    const cached = await cache.read(id, asOf);
    if (cached !== undefined) return cached;
    const answer = await fetchTask(id, signal);
    switch (answer.kind) {
      case 'ok':
        await cache.store(answer.value, asOf);
        return { kind: 'task', id, title: answer.value.title, creatorId: answer.value.creatorId };
      case 'gone':
        return await cache.storeDeleted(id, asOf);
      case 'not_found':
        return { kind: 'unheard_of' };
      case 'unavailable':
        return answer;
    }
  };
}

/**
 * Asks Tasks, unless the cache has a recent answer. While Tasks cannot be asked, or does not know the task (a restored backup, a wrong address), what was
 * known last is the best guess, and is at least as new as the event that the notification came from.
 */
export function findTaskNow({ cache, fetchTask }: { cache: TaskCache; fetchTask: FetchTask }): FindTaskNow {
  return async (id, { recentMs, signal }) => {
    const last = await cache.readLast(id);
    if (last !== undefined && last.ageMs < recentMs) return { now: last.now, doubt: null };
    const answer = await fetchTask(id, signal);
    switch (answer.kind) {
      case 'ok': {
        const { value } = answer;
        await cache.store(value, value.updatedAt);
        const { title, state, assigneeId } = value;
        return { now: { kind: 'task', title, state, assigneeId }, doubt: null };
      }
      // Not kept: the answer does not say when it was deleted, and a tombstone that is dated too late would hide that the task was restored.
      case 'gone':
        return { now: { kind: 'deleted', title: last?.now.title ?? null }, doubt: null };
      case 'not_found':
        return { now: last?.now, doubt: 'Tasks does not know the task' };
      case 'unavailable':
        return { now: last?.now, doubt: answer.detail };
    }
  };
}
