import { authRoutes } from '@taskwire/contracts';
import { response, bind, paged, type BoundRoute } from '@taskwire/http-server';
import type { Page, Place } from '@taskwire/postgres';
import type { endConsent, endSession, listConsents, listSessions } from '../app/own-access.ts';
import type { Caller } from '../app/read-user.ts';
import { callerOf } from './caller.ts';

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
      response(200, await ownPage('sessions', callerOf(request), request.query, app.listSessions)),
    ),
    bind(authRoutes.endSession, async (request) => {
      await app.endSession(callerOf(request), request.params.id);
      return response(204);
    }),
    bind(authRoutes.listConsents, async (request) =>
      response(200, await ownPage('consents', callerOf(request), request.query, app.listConsents)),
    ),
    bind(authRoutes.endConsent, async (request) => {
      await app.endConsent(callerOf(request), request.params.id);
      return response(204);
    }),
  ];
}

/** Returns a page of the caller's items, latest first. */
async function ownPage<T>(
  name: string,
  caller: Caller,
  { cursor, limit }: { cursor?: string | undefined; limit: number },
  list: (caller: Caller, place: Place) => Promise<Page<T>>,
) {
  return await paged(
    { name, filter: { user: caller.id }, positions: 'instant and id', cursor, limit },
    async (place) => await list(caller, place),
  );
}
