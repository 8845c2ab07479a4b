import type { ServiceClient } from '@taskwire/http-client';
import { z } from 'zod';
import type { FetchTask } from '../app/find-task.ts';

/** The fields of a task that this service reads. */
const task = z.object({
  id: z.guid(),
  // PostgreSQL stores neither NUL nor lone surrogates; a title that contains one must not dead-letter its event
  title: z.string().transform((title) => title.replaceAll(/\p{Cc}/gu, ' ').toWellFormed()),
  // not an enum: a state newer than this build must not make its tasks unreadable
  state: z.string(),
  creator_id: z.guid(),
  assignee_id: z.guid().nullable(),
  version: z.int(),
  updated_at: z.iso.datetime(),
});

/** Reads a task with Tasks' `GET /tasks/{uuid}`. */
export function fetchTask(tasks: ServiceClient): FetchTask {
  return async (id, signal) => {
    const response = await tasks.get(`/tasks/${id}`, task, { signal });
    if (response.kind !== 'ok') return response;
    const {
      title,
      state,
      creator_id: creatorId,
      assignee_id: assigneeId,
      version,
      updated_at: updatedAt,
    } = response.value;
    return { kind: 'ok', value: { id, title, state, creatorId, assigneeId, version, updatedAt } };
  };
}
