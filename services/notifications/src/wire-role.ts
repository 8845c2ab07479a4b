import { createDeadLetters } from '@taskwire/dead-letters';
import { createHttpServer, jwtAuthenticator, remoteKeys, type BoundRoute } from '@taskwire/http-server';
import type { Component } from '@taskwire/lifecycle';
import { requireMigrated, type Database } from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import type { UserDirectory } from '@taskwire/user-directory';
import type { Env } from './env.ts';
import { routes } from './http/routes.ts';
import { migrations } from './migrations.ts';
import { notificationInbox } from './postgres/notifications.ts';

/** The audience of access tokens for this service. */
const audience = 'urn:taskwire:notifications';

type Needs = { db: Database; directory: UserDirectory; telemetry: Telemetry };
/** The components of a worker, and its readiness checks. */
type Work = { components: readonly Component[]; readiness: Record<string, () => Promise<unknown>> };

/** The components that serve and work, as far as the role of this process includes it. */
export function wireRole(env: Env, needs: Needs, work: Work) {
  const { db } = needs;
  const publicRoutes = routes({ inbox: notificationInbox(db), deadLetters: createDeadLetters({ db }) });
  const role = {
    api: { routes: publicRoutes, components: [], readiness: {} },
    worker: { routes: [], ...work },
    all: { routes: publicRoutes, ...work },
  }[env.PROCESS_ROLE];
  const http = wireHttp(env, needs, role);
  // HTTP starts last, so it stops first: no request arrives while the other components stop
  return { http, components: [...role.components, http] };
}

/** The HTTP server: health, readiness and metrics for every role, and the routes of the public API for some. */
function wireHttp(
  env: Env,
  { db, directory, telemetry }: Needs,
  role: { routes: BoundRoute[]; readiness: Work['readiness'] },
) {
  return createHttpServer({
    telemetry,
    host: env.HOST,
    port: env.PORT,
    trustedProxies: env.TRUSTED_PROXIES,
    routes: role.routes,
    authenticator: jwtAuthenticator({
      issuer: env.ISSUER,
      audience,
      keys: remoteKeys({ url: `${env.AUTH_INTERNAL_URL}/oidc/jwks`, telemetry }),
      checkUser: directory.checkUser,
    }),
    readiness: {
      database: db.checkReady,
      migrations: async () => await requireMigrated(db.pool, migrations),
      ...role.readiness,
    },
  });
}
