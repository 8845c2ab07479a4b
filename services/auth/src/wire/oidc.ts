import type { Database } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';
import type { Authenticate } from '../app/authenticate.ts';
import type { DeviceCookies } from '../app/device-cookies.ts';
import type { Audit } from '../app/ports/audit.ts';
import type { Sessions } from '../app/ports/sessions.ts';
import type { RefreshTokens } from '../app/refresh-tokens.ts';
import type { Env } from '../env.ts';
import { clientMetadata } from '../oidc/client-metadata.ts';
import { providerEndpoints } from '../oidc/endpoints.ts';
import { interactionPages } from '../oidc/interaction.ts';
import { requestInProgress } from '../oidc/origin.ts';
import { createProviders } from '../oidc/provider.ts';
import { providerAdapter } from '../postgres/provider-adapter.ts';
import { derivedKey } from '../tokens/derived-keys.ts';
import type { SigningKeys } from '../tokens/signing-keys.ts';
import type { Clients } from './clients.ts';

type Parts = {
  db: Database;
  sessions: Sessions;
  audit: Audit;
  deviceCookies: DeviceCookies;
  authenticate: Authenticate;
  refreshTokens: RefreshTokens;
  keys: SigningKeys;
  clients: Clients;
  logger: Logger;
};

/** Wires the OpenID provider: its endpoints, and the pages between a client's request and its response. */
export function wireOidc(env: Env, parts: Parts) {
  const { db, sessions, refreshTokens, logger } = parts;
  const { ISSUER: issuer, KEY_ENCRYPTION_SECRET: secret } = env;
  const providers = createProviders({
    ...parts,
    issuer,
    corsOrigins: env.CORS_ORIGINS,
    keys: parts.keys.ring,
    cookieKey: derivedKey(secret, 'cookies'),
    requireVerifiedEmail: env.AUTH_REQUIRE_VERIFIED_EMAIL,
    lifetimes: {
      accessTokenSeconds: env.ACCESS_TOKEN_SECONDS,
      refreshTokenDays: env.REFRESH_TOKEN_DAYS,
      sessionDays: env.SESSION_DAYS,
    },
    adapter: providerAdapter({
      db,
      request: requestInProgress,
      refreshTokens,
      graceSeconds: env.REFRESH_GRACE_SECONDS,
      clients: {
        async find(id) {
          const client = await parts.clients.find(id);
          return client && clientMetadata(client);
        },
      },
      onReuse: (kind) => logger.warn('single-use credential replayed; grant revoked', { kind }),
    }),
  });
  const pages = interactionPages({ ...parts, issuer, providers, sessions, formKey: derivedKey(secret, 'forms') });
  return { providers, paths: [...providerEndpoints(issuer, providers), pages] };
}
