import type { FindTask, TaskAnswer, Unavailable } from './ports.ts';

/** A task as Tasks answers it. */
export type FetchedTask = { id: string; title: string; creatorId: string; version: number; updatedAt: string };

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
