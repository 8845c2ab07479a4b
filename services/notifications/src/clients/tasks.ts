import type { ServiceClient } from '@taskwire/http-client';
import { z } from 'zod';
import type { FetchTask } from '../app/find-task.ts';

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
      due_at: dueAt,
      version,
      updated_at: updatedAt,
      readers,
      source_epoch: sourceEpoch,
    } = response.value;
    const people = { creatorId, assigneeId, readers };
    return { kind: 'ok', value: { id, title, state, ...people, dueAt, version, updatedAt, sourceEpoch } };
  };
}
