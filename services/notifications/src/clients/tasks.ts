import type { Answer, ServiceClient } from '@taskwire/http-client';
import { createBatches, raceAbort } from '@taskwire/lifecycle';
import { z } from 'zod';
import type { FetchedTask, FetchTask } from '../app/find-task.ts';

/** The fields of a task that this service reads. */
const task = z.object({
  id: z.guid(),
  // PostgreSQL can store neither NUL nor lone surrogates; a title that contains one must not turn its event into a dead letter
  title: z.string().transform((title) => title.replaceAll(/\p{Cc}/gu, ' ').toWellFormed()),
  // not an enum: a state newer than this build must not make its tasks unreadable
  state: z.string(),
  creator_id: z.guid(),
  assignee_id: z.guid().nullable(),
  due_at: z.iso.datetime().nullable(),
  version: z.int(),
  updated_at: z.iso.datetime(),
  // at most what its column holds
  // absent in releases without projects, in which every user reads every task
  readers: z.array(z.guid()).nullable().default(null),
  source_epoch: z.int().min(1).max(2_147_483_647).default(1),
});

const several = z.object({ data: z.array(task), deleted: z.array(z.guid()) });

type Asked = { id: string; signal: AbortSignal };
type Fetched = Awaited<ReturnType<FetchTask>>;

/** The number of ids that Tasks accepts in one request. */
const maxIds = 50;
/** So many that slow responses delay no other request, but fewer than the client's own limit. */
const maxRequests = 8;

/**
 * Reads tasks from Tasks. Calls of the same turn of the event loop share a request, which is sent after all of them, so that every response is as recent
 * as its caller expects. If the shared request fails because of one task, or if an earlier release of Tasks does not know it, each task is read alone.
 */
export function fetchTask(tasks: ServiceClient): FetchTask {
  const fetchTogether = createBatches<Asked, Fetched>({
    name: 'fetch tasks',
    maxItems: maxIds,
    maxRunning: maxRequests,
    async run(asked) {
      const shared = asked.length === 1 ? undefined : await fetchSeveral(new Set(asked.map(({ id }) => id)));
      return await Promise.all(asked.map(async (one) => shared?.(one.id) ?? (await fetchAlone(one))));
    },
  });

  async function fetchAlone({ id, signal }: Asked): Promise<Fetched> {
    const response = await tasks.get(`/tasks/${id}`, task, { signal });
    return response.kind === 'ok' ? { kind: 'ok', value: toTask(response.value) } : response;
  }

  /** Returns the response for each task, or undefined if the tasks have to be read one by one. */
  async function fetchSeveral(ids: ReadonlySet<string>): Promise<((id: string) => Fetched) | undefined> {
    const response = await tasks.get(`/tasks?ids=${[...ids].join()}`, several);
    if (response.kind !== 'ok') return isAboutOneTask(response) ? undefined : () => response;
    const found = new Map(response.value.data.map((one) => [one.id, toTask(one)]));
    const deleted = new Set(response.value.deleted);
    return (id) => {
      const value = found.get(id);
      if (value !== undefined) return { kind: 'ok', value };
      return { kind: deleted.has(id) ? 'gone' : 'not_found' };
    };
  }

  return async (id, signal) => {
    const cancelled = { kind: 'unavailable', reason: 'cancelled', detail: 'the call to tasks was cancelled' } as const;
    return await raceAbort(fetchTogether({ id, signal }), signal).catch((error: unknown) => {
      if (signal.aborted) return cancelled;
      throw error;
    });
  };
}

/** An outage fails for every task, so reading them one by one would only add load. */
function isAboutOneTask(response: Exclude<Answer<unknown>, { kind: 'ok' }>): boolean {
  return response.kind !== 'unavailable' || response.reason === 'bad_answer' || response.status === 500;
}

function toTask({
  id,
  title,
  state,
  creator_id: creatorId,
  assignee_id: assigneeId,
  due_at: dueAt,
  version,
  updated_at: updatedAt,
  readers,
  source_epoch: sourceEpoch,
}: z.output<typeof task>): FetchedTask {
  return { id, title, state, creatorId, assigneeId, readers, dueAt, version, updatedAt, sourceEpoch };
}
