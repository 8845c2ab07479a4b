import { tasksRoutes, uuid } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { answer, bind, RawJson, type BoundRoute } from '@taskwire/http-server';
import { listCursors, type Cursors } from '@taskwire/postgres';
import { z } from 'zod';
import type { Page, TaskReads } from '../app/ports.ts';
import { noSuchTask } from '../app/load-for-update.ts';
import { respond } from './response.ts';

const taskPosition = uuid;
/** The digits of a positive bigint. */
const activityPosition = z.string().regex(/^\d{1,18}$/);

export function readRoutes(tasks: TaskReads): BoundRoute[] {
  return [
    bind(tasksRoutes.listTasks, async ({ actor, query: { cursor, limit, state, assignee, creator, mine } }) => {
      const filter = {
        state,
        creator,
        assignee: assignee === 'me' ? actor.id : assignee,
        // true: assigned to the caller; false: all other tasks
        mine: mine === undefined ? undefined : { userId: actor.id, is: mine === 'true' },
      };
      const cursors = listCursors(taskPosition, { name: 'tasks', filter });
      return answer(200, pageBody(await tasks.listTasks(filter, cursors.decode(cursor), limit), cursors));
    }),
    bind(tasksRoutes.getTask, async ({ params }) => {
      const task = await tasks.readTask(params.id);
      if (task === undefined || task.isDeleted) throw noSuchTask();
      return respond(200, task);
    }),
    // lets services distinguish a deleted task from one that never existed
    bind(tasksRoutes.getInternalTask, async ({ params }) => {
      const task = await tasks.readTask(params.id);
      if (task === undefined) throw noSuchTask();
      if (task.isDeleted) throw problem('gone', 'The task was deleted.');
      return respond(200, task);
    }),
    bind(tasksRoutes.listActivity, async ({ params, query: { cursor, limit } }) => {
      const cursors = listCursors(activityPosition, { name: 'activity', filter: { task: params.id } });
      const page = await tasks.listActivity(params.id, cursors.decode(cursor), limit);
      if (page === undefined) throw noSuchTask();
      return answer(200, pageBody(page, cursors));
    }),
  ];
}

function pageBody({ items, next }: Page<string>, cursors: Cursors<string>): RawJson {
  const cursor = next === null ? null : cursors.encode(next);
  return new RawJson(`{"data":[${items.join(',')}],"next_cursor":${JSON.stringify(cursor)}}`);
}
