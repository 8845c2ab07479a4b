import { authRoutes } from '@taskwire/contracts';
import { response, bind, requireMatch, type BoundRoute, type IfMatch } from '@taskwire/http-server';
import { originOf } from '../app/origin.ts';
import type { changeUser, deleteUser, RequireVersion } from '../app/change-user.ts';
import type { addUser } from '../app/add-user.ts';
import type { listQueues } from '../app/list-queues.ts';
import type { logIn } from '../app/log-in.ts';
import type { Sessions } from '../app/ports/sessions.ts';
import type { InternalUser, User, Users } from '../app/ports/users.ts';
import { contextOf, type readInternalUser, type readUser } from '../app/read-user.ts';
import type { reauthenticate } from '../app/reauthenticate.ts';
import type { refresh } from '../app/refresh.ts';
import type { register } from '../app/register.ts';
import type { restoreUserByAdmin } from '../app/restore-user.ts';
import type { Audit, AuditLog } from '../app/ports/audit.ts';
import { listAudit } from './audit.ts';
import { listChangedUsers, listUsers, ofEpoch } from './lists.ts';
import { callerOf } from './caller.ts';
import { loggedIn } from './logged-in.ts';

/** The use cases behind the routes. */
export type UseCases = {
  register: ReturnType<typeof register>;
  logIn: ReturnType<typeof logIn>;
  refresh: ReturnType<typeof refresh>;
  logOut: Sessions['end'];
  reauthenticate: ReturnType<typeof reauthenticate>;
  addUser: ReturnType<typeof addUser>;
  readUser: ReturnType<typeof readUser>;
  changeUser: ReturnType<typeof changeUser>;
  deleteUser: ReturnType<typeof deleteUser>;
  restoreUser: ReturnType<typeof restoreUserByAdmin>;
  readInternalUser: ReturnType<typeof readInternalUser>;
  listQueues: ReturnType<typeof listQueues>;
};

export type RouteStores = {
  users: Users;
  audit: AuditLog & Audit;
  /** Returns the epoch that is sent to services with the state of a user. */
  publishedEpoch: () => number;
};

/** Auth's REST API; paths below /oidc are the provider's. */
export function routes(app: UseCases, { users, audit, publishedEpoch }: RouteStores): BoundRoute[] {
  return [
    // the device becomes known to the new account, as after a log-in
    bind(authRoutes.register, async ({ body, ...request }) => {
      const { user, deviceCookie } = await app.register(body, originOf(request));
      return response(201, user, { headers: { 'Set-Cookie': deviceCookie } });
    }),
    bind(authRoutes.login, async ({ body, ...request }) => loggedIn(await app.logIn(body, originOf(request)))),
    bind(authRoutes.refresh, async ({ body, ...request }) =>
      response(200, await app.refresh(body.refresh_token, originOf(request))),
    ),
    bind(authRoutes.logout, async (request) => {
      const { sessionId } = request.actor;
      // a token without a session is refused before it reaches this point
      if (sessionId !== undefined) await app.logOut(sessionId, contextOf(callerOf(request)));
      return response(204);
    }),
    bind(authRoutes.reauthenticate, async ({ body, ...request }) =>
      response(200, await app.reauthenticate(callerOf(request), body.current_password)),
    ),

    bind(authRoutes.me, async (request) => versioned(200, await app.readUser(callerOf(request), request.actor.id))),
    bind(authRoutes.listUsers, listUsers(users)),
    bind(authRoutes.createUser, async ({ body, ...request }) =>
      versioned(201, await app.addUser(callerOf(request), body)),
    ),
    bind(authRoutes.getUser, async ({ params, ...request }) =>
      versioned(200, await app.readUser(callerOf(request), params.id)),
    ),
    bind(authRoutes.changeUser, async ({ params, body, ifMatch, ...request }) =>
      versioned(200, await app.changeUser(callerOf(request), params.id, body, requiring(ifMatch))),
    ),
    bind(authRoutes.deleteUser, async ({ params, body, ifMatch, ...request }) => {
      await app.deleteUser(callerOf(request), params.id, body ?? {}, requiring(ifMatch));
      return response(204);
    }),
    bind(authRoutes.restoreUser, async ({ params, body, ...request }) =>
      versioned(200, await app.restoreUser(callerOf(request), params.id, body?.current_password)),
    ),

    bind(authRoutes.listAudit, listAudit(audit)),

    bind(authRoutes.getInternalUser, async ({ params }) =>
      versioned(200, ofEpoch(await app.readInternalUser(params.id), publishedEpoch())),
    ),
    bind(authRoutes.listInternalUsers, listChangedUsers(users, publishedEpoch)),
    bind(authRoutes.listQueues, async () => response(200, await app.listQueues())),
  ];
}

function versioned<const S extends number, U extends User | InternalUser>(status: S, user: U) {
  return response(status, user, { etag: user.version });
}

function requiring(ifMatch: IfMatch): RequireVersion {
  return (version) => requireMatch(ifMatch, version);
}
