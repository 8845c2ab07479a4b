import { tasksRoutes } from '@taskwire/contracts';
import { bind, listCursors, requireMatch, response, type BoundRoute, type IfMatch } from '@taskwire/http-server';
import type { CommentPorts } from '../app/comments/ports.ts';
import { addComment, changeComment, deleteComment, noSuchComment } from '../app/comments/write-comments.ts';
import { readerOf } from '../domain/projects/reader.ts';
import { noSuchTask } from '../app/load-for-update.ts';
import { pageBody, respond } from './response.ts';

export function commentRoutes(ports: CommentPorts): BoundRoute[] {
  const { comments } = ports;
  return [
    bind(tasksRoutes.listComments, async ({ actor, params, query: { cursor, limit } }) => {
      const cursors = listCursors('id', { name: 'comments', filter: { task: params.id } });
      const page = await comments.list(params.id, readerOf(actor), { after: cursors.decode(cursor), limit });
      if (page === undefined) throw noSuchTask();
      return response(200, pageBody(tasksRoutes.listComments.responses[200], page, cursors));
    }),
    bind(tasksRoutes.addComment, async ({ actor, params, body: { body }, idempotent: request }) =>
      respond(tasksRoutes.addComment, 201, await addComment(ports, { actor, taskId: params.id, body, request })),
    ),
    bind(tasksRoutes.getComment, async ({ actor, params }) => {
      const comment = await comments.read(params.id, params.comment_id, readerOf(actor));
      if (comment === undefined) throw noSuchComment();
      return respond(tasksRoutes.getComment, 200, comment);
    }),
    bind(tasksRoutes.changeComment, async ({ body: { body }, ...request }) =>
      respond(tasksRoutes.changeComment, 200, await changeComment(ports, { ...commandOf(request), body })),
    ),
    bind(tasksRoutes.deleteComment, async (request) => {
      await deleteComment(ports, commandOf(request));
      return response(204);
    }),
  ];
}

type Request<A> = { actor: A; params: { id: string; comment_id: string }; ifMatch: IfMatch | undefined };

/** A command on the comment in the path. */
function commandOf<A>({ actor, params, ifMatch }: Request<A>) {
  const requireVersion = (version: number) => requireMatch(ifMatch, version);
  return { actor, taskId: params.id, commentId: params.comment_id, requireVersion };
}
