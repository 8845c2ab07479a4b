import { createHttpServer, jwtAuthenticator, type BoundRoute, type RawRoute } from '@taskwire/http-server';
import type { ReadinessCheck } from '@taskwire/http-server';
import type { Telemetry } from '@taskwire/telemetry';
import { checkAccess } from './app/check-access.ts';
import type { Audit } from './app/ports/audit.ts';
import type { Sessions } from './app/ports/sessions.ts';
import type { Env } from './env.ts';
import { auditRefusals } from './http/refusals.ts';
import type { SigningKeys } from './tokens/signing-keys.ts';

/** Auth's own audience. */
const audience = 'urn:taskwire:auth';

type Parts = {
  routes: BoundRoute[];
  rawRoutes: RawRoute[];
  readiness: Record<string, ReadinessCheck>;
  sessions: Sessions;
  audit: Audit;
  keys: SigningKeys;
  telemetry: Telemetry;
};

/** Wires the HTTP server. */
export function wireHttp(env: Env, { sessions, audit, keys, ...parts }: Parts) {
  return createHttpServer({
    ...parts,
    host: env.HOST,
    port: env.PORT,
    trustedProxies: env.TRUSTED_PROXIES,
    onRefusal: auditRefusals(audit),
    authenticator: jwtAuthenticator({
      ...{ issuer: env.ISSUER, audience, keys },
      checkUser: checkAccess({ sessions, requireVerifiedEmail: env.AUTH_REQUIRE_VERIFIED_EMAIL }),
    }),
  });
}
