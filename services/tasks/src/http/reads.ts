import { uuid, type tasksRoutes } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { RawJson, type HandlerOf } from '@taskwire/http-server';
import { listCursors, type Cursors } from '@taskwire/postgres';
import { z } from 'zod';
import type { Page, TaskStore } from '../app/ports.ts';
import { noSuchTask } from '../app/existing-task.ts';
import { toBody } from './body.ts';

const taskPosition = uuid;
/** The digits of a positive bigint. */
const activityPosition = z.string().regex(/^\d{1,18}$/);

export function listTasks(tasks: TaskStore): HandlerOf<typeof tasksRoutes.listTasks> {
  return async ({ actor, query: { cursor, limit, state, assignee, creator, mine } }) => {
    const filter = {
      state,
      creator,
      assignee: assignee === 'me' ? actor.id : assignee,
      // true: assigned to the caller; false: all other tasks
      mine: mine === undefined ? undefined : { userId: actor.id, is: mine === 'true' },
    };
    const cursors = listCursors(taskPosition, { name: 'tasks', filter });
    return { status: 200, body: pageBody(await tasks.list(filter, cursors.decode(cursor), limit), cursors) };
  };
}

export function getTask(tasks: TaskStore): HandlerOf<typeof tasksRoutes.getTask> {
  return async ({ params }) => {
    const task = await tasks.read(params.id);
    if (task === undefined || task.isDeleted) throw noSuchTask();
    return { status: 200, ...toBody(task) };
  };
}

/** Lets services distinguish a deleted task from one that never existed. */
export function getInternalTask(tasks: TaskStore): HandlerOf<typeof tasksRoutes.getInternalTask> {
  return async ({ params }) => {
    const task = await tasks.read(params.id);
    if (task === undefined) throw noSuchTask();
    if (task.isDeleted) throw problem('gone', 'The task was deleted.');
    return { status: 200, ...toBody(task) };
  };
}

export function listActivity(tasks: TaskStore): HandlerOf<typeof tasksRoutes.listActivity> {
  return async ({ params, query: { cursor, limit } }) => {
    const cursors = listCursors(activityPosition, { name: 'activity', filter: { task: params.id } });
    const page = await tasks.listActivity(params.id, cursors.decode(cursor), limit);
    if (page === undefined) throw noSuchTask();
    return { status: 200, body: pageBody(page, cursors) };
  };
}

function pageBody({ items, next }: Page<string>, cursors: Cursors<string>): RawJson {
  const cursor = next === null ? null : cursors.encode(next);
  return new RawJson(`{"data":[${items.join(',')}],"next_cursor":${JSON.stringify(cursor)}}`);
}
