import { tasksRoutes, type JsonText } from '@taskwire/contracts';
import { bind, PreserializedJson, response, type BoundRoute, type RequestOf } from '@taskwire/http-server';
import type { z } from 'zod';
import { followChanges, type FollowedPage, type FollowPorts, type Standing } from '../app/sync/follow-changes.ts';
import type { FeedName } from '../app/sync/ports.ts';
import { readerOf } from '../domain/projects/reader.ts';
import type { Actor } from '../domain/task.ts';
import { decodeToken, encodeToken } from './sync-tokens.ts';

type Request = Pick<RequestOf<typeof tasksRoutes.syncTasks>, 'actor' | 'query' | 'hangUp' | 'currentActor'>;

export function syncRoutes(ports: FollowPorts): BoundRoute[] {
  return [
    bind(tasksRoutes.syncTasks, async (request) => {
      const page = await follow(ports, 'tasks', request);
      const { projects } = page;
      return response(
        200,
        pageBody(tasksRoutes.syncTasks.responses[200], page, tokenOf('tasks', request.actor), { projects }),
      );
    }),
    bind(tasksRoutes.syncPeople, async (request) => {
      const page = await follow(ports, 'people', request);
      return response(200, pageBody(tasksRoutes.syncPeople.responses[200], page, tokenOf('people', request.actor)));
    }),
  ];
}

async function follow(
  ports: FollowPorts,
  feed: FeedName,
  { actor, query: { token, limit, wait }, hangUp, currentActor }: Request,
): Promise<FollowedPage> {
  const position = decodeToken(feed, actor.id, token);
  return await followChanges(ports, {
    feed,
    standing: standingIn(feed, actor),
    currentStanding: async () => standingIn(feed, await currentActor()),
    position,
    limit,
    waitSeconds: wait,
    hangUp: hangUp(),
  });
}

/** The names of users are the same for every role. */
function standingIn(feed: FeedName, actor: Actor): Standing {
  return { reader: readerOf(actor), role: feed === 'people' ? '' : actor.role };
}

function tokenOf(feed: FeedName, { id }: Actor): (page: FollowedPage) => string {
  return ({ next }) => encodeToken(feed, id, next);
}

function pageBody<S extends z.ZodType>(
  schema: S,
  page: FollowedPage,
  token: (page: FollowedPage) => string,
  more: object = {},
): PreserializedJson<S> {
  const rest = JSON.stringify({ next_token: token(page), more: page.more, as_of: page.asOf, ...more });
  return new PreserializedJson(schema, `{"data":[${page.items.join(',')}],${rest.slice(1)}` as JsonText<S>);
}
