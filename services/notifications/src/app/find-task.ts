import type { Unavailable } from '@taskwire/http-client';
import type { FindTask, FindTaskNow, Readers, TaskLookup, TaskNow } from './ports.ts';

/** A task as Tasks returns it. */
export type FetchedTask = {
  id: string;
  title: string;
  state: string;
  creatorId: string;
  assigneeId: string | null;
  /** UTC with microseconds. */
  dueAt: string | null;
  version: number;
  updatedAt: string;
  readers: Readers;
  /** The epoch of Tasks' database; versions can be compared only within an epoch. */
  sourceEpoch: number;
};

export type FetchTask = (
  id: string,
  signal: AbortSignal,
) => Promise<{ kind: 'ok'; value: FetchedTask } | { kind: 'gone' } | { kind: 'not_found' } | Unavailable>;

export type TaskCache = {
  /** Returns the cached state, unless it may lack a change that happened up to `asOf`. */
  read(id: string, asOf: string): Promise<TaskLookup | undefined>;
  /** Stores a state that was fetched after `asOf`, unless a newer one is cached. */
  store(task: FetchedTask, asOf: string): Promise<void>;
  /** Marks the task as deleted at `asOf`. Returns the last known state. */
  storeDeleted(id: string, asOf: string): Promise<TaskLookup>;
  /** The last known state and its age in milliseconds; undefined when the state of the task is unknown. */
  readLast(id: string): Promise<{ now: TaskNow; ageMs: number } | undefined>;
};

/**
 * Reads through the cache. The time of the event decides whether to query Tasks, and the fetched version decides which
 * state to keep. A burst of events for one task therefore causes one request, whose response includes every event
 * committed before it.
 */
export function findTask({ cache, fetchTask }: { cache: TaskCache; fetchTask: FetchTask }): FindTask {
  return async (id, asOf, signal) => {
    const cached = await cache.read(id, asOf);
    if (cached !== undefined) return cached;
    const response = await fetchTask(id, signal);
    switch (response.kind) {
      case 'ok':
        await cache.store(response.value, asOf);
        return toLookup(response.value);
      case 'gone':
        return await cache.storeDeleted(id, asOf);
      case 'not_found':
        return { kind: 'not_found' };
      case 'unavailable':
        return response;
    }
  };
}

function toLookup({ id, title, creatorId, assigneeId, readers }: FetchedTask): TaskLookup {
  return { kind: 'task', id, title, creatorId, assigneeId, readers };
}

/**
 * Queries Tasks, unless the cache has a recent response. When Tasks is unavailable or doesn't know the task (a restored backup, a wrong address), the
 * last known state is the best estimate. It is at least as new as the event that caused the notification.
 */
export function findTaskNow({ cache, fetchTask }: { cache: TaskCache; fetchTask: FetchTask }): FindTaskNow {
  return async (id, { recentMs, signal }) => {
    const last = await cache.readLast(id);
    if (last !== undefined && last.ageMs < recentMs) return { now: last.now, uncertainty: null };
    const response = await fetchTask(id, signal);
    switch (response.kind) {
      case 'ok': {
        const { value } = response;
        await cache.store(value, value.updatedAt);
        const { title, state, assigneeId, dueAt, readers } = value;
        return { now: { kind: 'task', title, state, assigneeId, dueAt, readers }, uncertainty: null };
      }
      // not cached, because the response doesn't include the time of deletion, and a tombstone dated too late would hide a later restoration.
      case 'gone':
        return {
          now: { kind: 'deleted', title: last?.now.title ?? null, readers: last?.now.readers ?? null },
          uncertainty: null,
        };
      case 'not_found':
        return { now: last?.now, uncertainty: 'Tasks does not know the task' };
      case 'unavailable':
        return { now: last?.now, uncertainty: response.detail };
    }
  };
}
