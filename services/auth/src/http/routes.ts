import { authRoutes } from '@taskwire/contracts';
import { answer, bind, requireMatch, type BoundRoute, type IfMatch } from '@taskwire/http-server';
import type { changeUser, deleteUser, RequireVersion } from '../app/change-user.ts';
import type { createUser } from '../app/create-user.ts';
import type { logIn } from '../app/log-in.ts';
import type { Sessions, User, Users } from '../app/ports.ts';
import type { readInternalUser, readUser } from '../app/read-user.ts';
import type { refresh } from '../app/refresh.ts';
import type { register } from '../app/register.ts';
import { listChangedUsers, listUsers } from './lists.ts';

/** What the routes call. */
export type UseCases = {
  register: ReturnType<typeof register>;
  logIn: ReturnType<typeof logIn>;
  refresh: ReturnType<typeof refresh>;
  logOut: Sessions['end'];
  createUser: ReturnType<typeof createUser>;
  readUser: ReturnType<typeof readUser>;
  changeUser: ReturnType<typeof changeUser>;
  deleteUser: ReturnType<typeof deleteUser>;
  readInternalUser: ReturnType<typeof readInternalUser>;
};

/** Auth's REST API; what is below /oidc is the provider's. */
export function routes(app: UseCases, users: Users): BoundRoute[] {
  return [
    bind(authRoutes.register, async ({ body, ip }) => answer(201, await app.register(body, ip))),
    bind(authRoutes.login, async ({ body, ip }) => answer(200, await app.logIn(body, ip))),
    bind(authRoutes.refresh, async ({ body }) => answer(200, await app.refresh(body.refresh_token))),
    bind(authRoutes.logout, async ({ actor }) => {
      // a token without a session is refused before it comes here
      if (actor.sessionId !== undefined) await app.logOut(actor.sessionId);
      return answer(204);
    }),

    bind(authRoutes.me, async ({ actor }) => versioned(200, await app.readUser(actor, actor.id))),
    bind(authRoutes.listUsers, listUsers(users)),
    bind(authRoutes.createUser, async ({ body }) =>
      versioned(201, await app.createUser({ ...body, emailVerified: false })),
    ),
    bind(authRoutes.getUser, async ({ actor, params }) => versioned(200, await app.readUser(actor, params.id))),
    bind(authRoutes.changeUser, async ({ actor, params, body, ifMatch }) =>
      versioned(200, await app.changeUser(actor, params.id, body, requiring(ifMatch))),
    ),
    bind(authRoutes.deleteUser, async ({ actor, params, ifMatch }) => {
      await app.deleteUser(actor, params.id, requiring(ifMatch));
      return answer(204);
    }),

    bind(authRoutes.getInternalUser, async ({ params }) => versioned(200, await app.readInternalUser(params.id))),
    bind(authRoutes.listInternalUsers, listChangedUsers(users)),
  ];
}

function versioned<const S extends number, U extends User>(status: S, user: U) {
  return answer(status, user, { etag: user.version });
}

function requiring(ifMatch: IfMatch): RequireVersion {
  return (version) => requireMatch(ifMatch, version);
}
