import { tasksRoutes, type JsonText, type schemas } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import {
  response,
  bind,
  listCursors,
  paged,
  PreserializedJson,
  type BoundRoute,
  type Cursors,
} from '@taskwire/http-server';
import { addLogFields } from '@taskwire/telemetry';
import type { TaskReads } from '../app/ports.ts';
import type { ActivityReads } from '../app/activity/ports.ts';
import { readTaskAt } from '../app/activity/read-task-at.ts';
import { readerOf } from '../domain/projects/reader.ts';
import { noSuchTask } from '../app/load-for-update.ts';
import { orderOf, type TaskList } from '../app/task-list.ts';
import { utcInstant } from '../domain/instant.ts';
import { invalidField } from '../domain/invalid-field.ts';
import { cursorsOf, cursorsOfSearch, filterOf, searchOf } from './task-lists.ts';
import { pageBody, respond } from './response.ts';

const suggestions = tasksRoutes.suggestTasks.responses[200];
const internalTasks = tasksRoutes.getInternalTasks.responses[200];

const statsAreCurrent = 'cannot be combined with at: stats describe the present. Leave out one of the two';

export type ReadPorts = {
  tasks: TaskReads;
  activity: ActivityReads;
  /** Sent to services, which copy tasks. */
  publishedEpoch: () => number;
};

/** The read operations. */
export function readRoutes({ tasks, activity, publishedEpoch }: ReadPorts): BoundRoute[] {
  return [
    bind(tasksRoutes.listTasks, async ({ actor, query: { cursor, limit, sort, include, ...given } }) => {
      const order = orderOf({ sort, q: given.q });
      const list = {
        reader: readerOf(actor),
        filter: filterOf(given, actor.id),
        order,
        withStats: include === 'stats',
      };
      return response(200, await readList(tasks, list, { cursors: cursorsOf(list), cursor, limit }));
    }),
    bind(tasksRoutes.searchTasks, async ({ actor, body: { cursor, limit, include, ...given } }) => {
      const filter = searchOf(given, { callerId: actor.id, now: Date.now() });
      const list = { reader: readerOf(actor), filter, order: orderOf(given), withStats: include === 'stats' };
      const cursors = cursorsOfSearch(given, { callerId: actor.id, order: list.order });
      return response(200, await readList(tasks, list, { cursors, cursor, limit }));
    }),
    bind(tasksRoutes.listLabels, async ({ actor, query: { prefix = '', cursor, limit } }) => {
      const list = { name: 'labels', filter: { prefix }, positions: 'text', cursor, limit } as const;
      return response(200, await paged(list, async (place) => await tasks.listLabels(prefix, readerOf(actor), place)));
    }),
    bind(tasksRoutes.suggestTasks, async ({ actor, query: { q } }) => {
      const found = await tasks.suggestTasks(q, readerOf(actor));
      return response(
        200,
        new PreserializedJson(suggestions, `{"data":[${found.join(',')}]}` as JsonText<typeof suggestions>),
      );
    }),
    bind(tasksRoutes.getTask, async ({ actor, params, query: { at, include } }) => {
      const reader = readerOf(actor);
      if (at !== undefined) {
        if (include !== undefined) throw invalidField('include', 'not_in_the_past', statsAreCurrent);
        const asked = { taskId: params.id, reader, at: utcInstant(at, 'at') };
        return respond(tasksRoutes.getTask, 200, await readTaskAt(activity, asked));
      }
      const read = include === 'stats' ? tasks.readTaskWithStats : tasks.readTask;
      const task = await read(params.id, reader);
      if (task === undefined || task.isDeleted) throw noSuchTask();
      // the fields of a task, with or without stats
      const text = task.text as string as JsonText<typeof schemas.readTask>;
      return respond(tasksRoutes.getTask, 200, { ...task, text });
    }),
    // lets services distinguish a deleted task from one that never existed
    bind(tasksRoutes.getInternalTask, async ({ params }) => {
      const { found, deleted } = await tasks.readInternalTasks([params.id]);
      if (deleted.length > 0) throw problem('gone', 'The task was deleted.');
      const [task] = found;
      if (task === undefined) throw noSuchTask();
      return respond(tasksRoutes.getInternalTask, 200, { ...task, text: ofEpoch(task.text, publishedEpoch()) });
    }),
    bind(tasksRoutes.getInternalTasks, async ({ query: { ids } }) => {
      addLogFields({ task_ids: ids });
      const { found, deleted } = await tasks.readInternalTasks(ids);
      const texts = found.map(({ text }) => ofEpoch(text, publishedEpoch()));
      const body = `{"data":[${texts.join(',')}],"deleted":${JSON.stringify(deleted)}}`;
      return response(200, new PreserializedJson(internalTasks, body as JsonText<typeof internalTasks>));
    }),
    bind(tasksRoutes.listActivity, async ({ actor, params, query: { cursor, limit } }) => {
      const cursors = listCursors('number', { name: 'activity', filter: { task: params.id } });
      const page = await tasks.listActivity(params.id, readerOf(actor), { after: cursors.decode(cursor), limit });
      if (page === undefined) throw noSuchTask();
      return response(200, pageBody(tasksRoutes.listActivity.responses[200], page, cursors));
    }),
    bind(tasksRoutes.listTaskJourney, async ({ params: { task_id: task }, query: { cursor, limit } }) => {
      const list = { name: 'journeys', filter: { task }, positions: 'id', cursor, limit } as const;
      const body = await paged(list, async (place) => {
        const page = await tasks.listJourneys(task, place);
        if (page === undefined) throw noSuchTask();
        return page;
      });
      return response(200, body);
    }),
  ];
}

type PageRequest = { cursors: Cursors; cursor: string | undefined; limit: number };

/** The body of a page of a list of tasks. */
export async function readList(
  tasks: Pick<TaskReads, 'listTasks'>,
  list: TaskList,
  { cursors, cursor, limit }: PageRequest,
) {
  const { asOf, ...page } = await tasks.listTasks(list, { after: cursors.decode(cursor), limit });
  return pageBody(tasksRoutes.listTasks.responses[200], page, cursors, asOf === undefined ? {} : { as_of: asOf });
}

/** Adds the epoch to the text of a task, which is sent as the database built it. Callers assume epoch 1, so it is left out. */
function ofEpoch(text: JsonText<typeof schemas.internalTask>, epoch: number): JsonText<typeof schemas.internalTask> {
  const added = epoch === 1 ? text : `{"source_epoch":${epoch},${text.slice(1)}`;
  return added as JsonText<typeof schemas.internalTask>;
}
