import { tasksRoutes } from '@taskwire/contracts';
import { bind, listCursors, PreserializedJson, response, type BoundRoute } from '@taskwire/http-server';
import type { ActivityReads } from '../app/activity/ports.ts';
import { noSuchTask } from '../app/load-for-update.ts';
import { readerOf } from '../domain/projects/reader.ts';
import { pageBody } from './response.ts';

const { listAllActivity, whyAssigned } = tasksRoutes;

/** The operations on the activity of tasks, except `listActivity`. */
export function activityRoutes(activity: ActivityReads): BoundRoute[] {
  return [
    bind(listAllActivity, async ({ actor, query: { cursor, limit } }) => {
      const cursors = listCursors('number', { name: 'all activity', filter: {} });
      const page = await activity.listAll(readerOf(actor), { after: cursors.decode(cursor), limit });
      return response(200, pageBody(listAllActivity.responses[200], page, cursors));
    }),
    bind(whyAssigned, async ({ actor, params }) => {
      const explanation = await activity.explainAssignment(params.id, readerOf(actor));
      if (explanation === undefined) throw noSuchTask();
      return response(200, new PreserializedJson(whyAssigned.responses[200], explanation));
    }),
  ];
}
