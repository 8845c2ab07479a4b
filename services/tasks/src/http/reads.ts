import { tasksRoutes, type JsonText } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { response, bind, listCursors, PreserializedJson, type BoundRoute, type Cursors } from '@taskwire/http-server';
import type { Page } from '@taskwire/postgres';
import type { z } from 'zod';
import type { TaskReads } from '../app/ports.ts';
import { noSuchTask } from '../app/load-for-update.ts';
import { respond } from './response.ts';

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
      const cursors = listCursors('id', { name: 'tasks', filter });
      return response(
        200,
        pageBody(
          tasksRoutes.listTasks.responses[200],
          await tasks.listTasks(filter, { after: cursors.decode(cursor), limit }),
          cursors,
        ),
      );
    }),
    bind(tasksRoutes.getTask, async ({ params }) => {
      const task = await tasks.readTask(params.id);
      if (task === undefined || task.isDeleted) throw noSuchTask();
      return respond(tasksRoutes.getTask, 200, task);
    }),
    // lets services distinguish a deleted task from one that never existed
    bind(tasksRoutes.getInternalTask, async ({ params }) => {
      const task = await tasks.readTask(params.id);
      if (task === undefined) throw noSuchTask();
      if (task.isDeleted) throw problem('gone', 'The task was deleted.');
      return respond(tasksRoutes.getInternalTask, 200, task);
    }),
    bind(tasksRoutes.listActivity, async ({ params, query: { cursor, limit } }) => {
      const cursors = listCursors('number', { name: 'activity', filter: { task: params.id } });
      const page = await tasks.listActivity(params.id, { after: cursors.decode(cursor), limit });
      if (page === undefined) throw noSuchTask();
      return response(200, pageBody(tasksRoutes.listActivity.responses[200], page, cursors));
    }),
  ];
}

/** The schema of the items of a list. */
type ItemOf<S> =
  S extends z.ZodObject<{ data: z.ZodArray<infer I extends z.ZodType>; next_cursor: z.ZodType }> ? I : never;

function pageBody<S extends z.ZodType>(
  schema: S,
  { items, next }: Page<JsonText<ItemOf<S>>>,
  cursors: Cursors,
): PreserializedJson<S> {
  const cursor = next === undefined ? null : cursors.encode(next);
  const text = `{"data":[${items.join(',')}],"next_cursor":${JSON.stringify(cursor)}}`;
  return new PreserializedJson(schema, text as JsonText<S>);
}
