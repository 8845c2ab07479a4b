import { tasksRoutes } from '@taskwire/contracts';
import { bind, listCursors, response, type BoundRoute } from '@taskwire/http-server';
import { listOfView } from '../app/views/list-of-view.ts';
import { moveTask } from '../app/views/move-task.ts';
import type { ViewPorts } from '../app/views/ports.ts';
import { changeView, createView, viewRules } from '../app/views/write-views.ts';
import { readList } from './reads.ts';
import { pageBody, respond } from './response.ts';
import { savedCommand } from './saved-command.ts';
import { cursorsOfView } from './task-lists.ts';

export function viewRoutes(ports: ViewPorts): BoundRoute[] {
  const { views } = ports;
  return [
    bind(tasksRoutes.listViews, async ({ actor, query: { cursor, limit } }) => {
      const cursors = listCursors('id', { name: 'views', filter: { reader: actor.id } });
      const page = await views.list(actor.id, { after: cursors.decode(cursor), limit });
      return response(200, pageBody(tasksRoutes.listViews.responses[200], page, cursors));
    }),
    bind(tasksRoutes.createView, async ({ actor, body: content, idempotent: request }) =>
      respond(tasksRoutes.createView, 201, await createView(ports, { actor, content, request })),
    ),
    bind(tasksRoutes.getView, async ({ actor, params }) => {
      const view = await views.read(params.id, actor.id);
      if (view === undefined) throw viewRules.missing();
      return respond(tasksRoutes.getView, 200, view);
    }),
    bind(tasksRoutes.listViewTasks, async ({ actor, params, query: { cursor, limit, include } }) => {
      const view = await views.find(params.id, actor.id);
      if (view === undefined) throw viewRules.missing();
      const list = { ...listOfView(view, actor), withStats: include === 'stats' };
      return response(
        200,
        await readList(ports.tasks, list, { cursors: cursorsOfView(view, actor.id, list.order), cursor, limit }),
      );
    }),
    bind(tasksRoutes.moveTask, async ({ actor, params: { id: taskId }, body, idempotent: request }) => {
      const { view_id, before_id, after_id = '' } = body;
      const beside =
        before_id === undefined
          ? ({ id: after_id, field: 'after_id' } as const)
          : ({ id: before_id, field: 'before_id' } as const);
      const move = { actor, taskId, viewId: view_id, beside, request };
      return respond(tasksRoutes.moveTask, 200, await moveTask(ports, move));
    }),
    bind(tasksRoutes.changeView, async ({ body: change, ...request }) =>
      respond(tasksRoutes.changeView, 200, await changeView(ports, { ...savedCommand(request), change })),
    ),
    bind(tasksRoutes.deleteView, async (request) => {
      await viewRules.remove({ tasks: ports.tasks, store: views }, savedCommand(request));
      return response(204);
    }),
  ];
}
