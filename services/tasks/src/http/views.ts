import { tasksRoutes } from '@taskwire/contracts';
import { bind, listCursors, requireMatch, response, type BoundRoute, type IfMatch } from '@taskwire/http-server';
import type { ViewPorts } from '../app/views/ports.ts';
import { changeView, createView, deleteView, noSuchView } from '../app/views/write-views.ts';
import { pageBody, respond } from './response.ts';

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
      if (view === undefined) throw noSuchView();
      return respond(tasksRoutes.getView, 200, view);
    }),
    bind(tasksRoutes.changeView, async ({ body: change, ...request }) =>
      respond(tasksRoutes.changeView, 200, await changeView(ports, { ...commandOf(request), change })),
    ),
    bind(tasksRoutes.deleteView, async (request) => {
      await deleteView(ports, commandOf(request));
      return response(204);
    }),
  ];
}

/** A command on the view in the path. */
function commandOf<A>({ actor, params, ifMatch }: { actor: A; params: { id: string }; ifMatch: IfMatch | undefined }) {
  return { actor, viewId: params.id, requireVersion: (version: number) => requireMatch(ifMatch, version) };
}
