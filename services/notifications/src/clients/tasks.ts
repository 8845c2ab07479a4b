import type { ServiceClient } from '@taskwire/http-client';
import { z } from 'zod';
import type { FetchTask } from '../app/find-task.ts';

/** What this service reads of a task. */
const task = z.object({
  id: z.guid(),
  // PostgreSQL stores neither NUL nor half a surrogate pair; a title that has one must not make a dead letter of its event
  title: z.string().transform((title) => title.replaceAll(/\p{Cc}/gu, ' ').toWellFormed()),
  // a string, because a state that is newer than this build must not make its tasks unreadable
  state: z.string(),
  creator_id: z.guid(),
  assignee_id: z.guid().nullable(),
  version: z.int(),
  updated_at: z.iso.datetime(),
});

/** `GET /tasks/{uuid}` of Tasks. */
export function fetchTask(tasks: ServiceClient): FetchTask {
  return async (id, signal) => {
    const answer = await tasks.get(`/tasks/${id}`, task, { signal });
    if (answer.kind !== 'ok') return answer;
    const {
      title,
      state,
      creator_id: creatorId,
      assignee_id: assigneeId,
      version,
      updated_at: updatedAt,
    } = answer.value;
    return { kind: 'ok', value: { id, title, state, creatorId, assigneeId, version, updatedAt } };
  };
}
