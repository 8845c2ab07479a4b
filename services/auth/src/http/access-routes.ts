import { authRoutes, uuid } from '@taskwire/contracts';
import { answer, bind, type BoundRoute } from '@taskwire/http-server';
import { cursorInstant, listCursors } from '@taskwire/postgres';
import { z } from 'zod';
import type { AccessPage, endConsent, endSession, listConsents, listSessions } from '../app/own-access.ts';
import type { Caller } from '../app/read-user.ts';
import { callerOf } from './caller.ts';
import { page } from './lists.ts';

/** The use cases behind the routes for a user's own sessions and consents. */
export type AccessUseCases = {
  listSessions: ReturnType<typeof listSessions>;
  endSession: ReturnType<typeof endSession>;
  listConsents: ReturnType<typeof listConsents>;
  endConsent: ReturnType<typeof endConsent>;
};

export function accessRoutes(app: AccessUseCases): BoundRoute[] {
  return [
    bind(authRoutes.listSessions, async (request) =>
      answer(200, await ownPage('sessions', callerOf(request), request.query, app.listSessions)),
    ),
    bind(authRoutes.endSession, async (request) => {
      await app.endSession(callerOf(request), request.params.id);
      return answer(204);
    }),
    bind(authRoutes.listConsents, async (request) =>
      answer(200, await ownPage('consents', callerOf(request), request.query, app.listConsents)),
    ),
    bind(authRoutes.endConsent, async (request) => {
      await app.endConsent(callerOf(request), request.params.id);
      return answer(204);
    }),
  ];
}

const afterItem = z.tuple([cursorInstant, uuid]);

/** Returns a page of the caller's items, latest first. */
async function ownPage<T extends { created_at: string; id: string }>(
  name: string,
  caller: Caller,
  { cursor, limit }: { cursor?: string | undefined; limit: number },
  list: (caller: Caller, page: AccessPage) => Promise<T[]>,
) {
  const cursors = listCursors(afterItem, { name, filter: { user: caller.id } });
  const [createdAt, id] = cursors.decode(cursor) ?? [];
  const after = createdAt === undefined || id === undefined ? undefined : { createdAt, id };
  // one more than requested shows whether a next page exists
  const found = await list(caller, { after, limit: limit + 1 });
  return page(found, { limit, cursors, position: (item): [string, string] => [item.created_at, item.id] });
}
