import { createHash, randomUUIDv7, timingSafeEqual } from 'node:crypto';
import type { Adapter, Configuration, KoaContextWithOIDC } from 'oidc-provider';
import * as errors from 'oidc-provider/lib/helpers/errors.js';
import { Provider } from 'oidc-provider/lib/provider.js';
import { noteFailure, type Logger } from '@taskwire/telemetry';
import { errorText } from '@taskwire/errors';
import type { Audit } from '../app/ports/audit.ts';
import type { Sessions } from '../app/ports/sessions.ts';
import type { KeyRing } from '../app/ports/signing-keys.ts';
import type { RefreshTokens } from '../app/refresh-tokens.ts';
import { accessTokenVerifier } from './access-token-verifier.ts';
import { recordOwnTokens, recordRefusal } from './audit.ts';
import { completeAccessToken, findAccount } from './accounts.ts';
import { assertionTooLong, explainClientRefusals } from './client-refusals.ts';
import { clientBasedCors } from './cors.ts';
import { handleJwtAccessTokens } from './jwt-access-tokens.ts';
import { acceptEveryService } from './every-service.ts';
import { continueByPage } from './redirects.ts';
import { errorPage } from './pages/error-page.ts';
import { loggedOutPage, logoutPage } from './pages/logout-pages.ts';
import { openidScopes, resourceIndicators } from './resources.ts';
import { acceptJwtsAtUserinfo } from './userinfo-tokens.ts';
import { interactionPolicy } from './verification-prompt.ts';

export type ProviderOptions = {
  issuer: string;
  /** Origins of pages that may call the endpoints on behalf of any client. */
  corsOrigins: readonly string[];
  adapter: (kind: string) => Adapter;
  keys: () => Promise<KeyRing>;
  sessions: Sessions;
  refreshTokens: RefreshTokens;
  /** The key that cookies are signed with. */
  cookieKey: Buffer;
  /** Whether clients obtain nothing until the address is verified. */
  requireVerifiedEmail: boolean;
  lifetimes: { accessTokenSeconds: number; refreshTokenDays: number; sessionDays: number };
  audit: Audit;
  logger: Logger;
};

export type Providers = () => Promise<Provider>;

/**
 * The OpenID provider. It is recreated when the keys change, which takes a few milliseconds. All of its state is in the database, so requests in
 * progress can finish with their original instance.
 */
export function createProviders(options: ProviderOptions): Providers {
  let made: { ring: KeyRing; provider: Provider } | undefined;
  const recordToken = recordOwnTokens(options.audit);
  return async () => {
    const ring = await options.keys();
    if (made?.ring !== ring) made = { ring, provider: createProvider(options, ring, recordToken) };
    return made.provider;
  };
}

/** Maximum lifetime of a client's assertion; the assertion's jti is kept for the same time. */
const assertionSeconds = 300;
/** OAuth 2.1 section 4.1.2 recommends a minute at most. */
const codeSeconds = 60;
/** Maximum time for a user to log in and consent. */
const interactionSeconds = 1_800;
/** Cache lifetime of the published keys, in seconds. A key is published long before it first signs. */
const jwksMaxAge = 300;
const daySeconds = 86_400;
/** Time after which an unused browser log-in ends. */
const browserSeconds = 14 * daySeconds;

function createProvider(
  options: ProviderOptions,
  ring: KeyRing,
  recordToken: ReturnType<typeof recordOwnTokens>,
): Provider {
  const { issuer, logger } = options;
  const provider = new Provider(issuer, configuration(options, ring));
  // nginx is the only proxy in front of it, and URLs are built from the issuer anyway
  provider.proxy = true;
  Object.assign(provider.Client.prototype, { compareClientSecret });
  // a grant is a session, so it has the same kind of id
  Object.assign(provider.Grant.prototype, { generateTokenId: () => randomUUIDv7() });
  Object.assign(provider.RefreshToken.prototype, {
    generateTokenId() {
      const rotated = Provider.ctx?.oidc.entities.RotatedRefreshToken;
      return rotated === undefined ? options.refreshTokens.create() : options.refreshTokens.successorOf(rotated.jti);
    },
  });
  acceptEveryService(provider);
  const whyRefused = explainClientRefusals(provider, logger);
  provider.use(async (ctx, next) => {
    await next();
    await recordRefusal(options.audit, ctx as KoaContextWithOIDC, whyRefused(ctx));
    await recordToken(ctx as KoaContextWithOIDC);
    if (ctx.path === '/revoke' && ctx.body === '') {
      // an empty response has no type (oidc-client-ts rejects text), except for clients that accept JSON only (simple-oauth2)
      if (ctx.get('accept').includes('json')) ctx.type = 'application/json; charset=utf-8';
      else ctx.remove('Content-Type');
    }
    if (ctx.status === 303) continueByPage(ctx as KoaContextWithOIDC);
    if (ctx.path !== '/jwks' || ctx.status !== 200) return;
    // as our contracts specify, and as required by clients that support no other JSON type
    ctx.type = 'application/json; charset=utf-8';
    ctx.set('Cache-Control', `public, max-age=${jwksMaxAge}`);
  });
  const jwts = { provider, verify: accessTokenVerifier(issuer, ring), sessions: options.sessions };
  handleJwtAccessTokens(jwts);
  acceptJwtsAtUserinfo(jwts);
  const failed = (_ctx: unknown, error: unknown): void => {
    noteFailure(error);
    logger.error('the provider failed', { error: errorText(error), stack: error instanceof Error ? error.stack : '' });
  };
  provider.on('server_error', failed);
  // errors that Koa itself reports, which its types omit
  (provider as NodeJS.EventEmitter).on('error', (error: unknown) => failed(undefined, error));
  return provider;
}

function configuration(options: ProviderOptions, ring: KeyRing): Configuration {
  const { accessTokenSeconds, refreshTokenDays, sessionDays } = options.lifetimes;
  return {
    adapter: options.adapter,
    jwks: {
      keys: ring.keys.map(({ publicJwk, privateKey }) => ({ ...privateKey.export({ format: 'jwk' }), ...publicJwk })),
    },
    findAccount: findAccount(options.sessions),
    routes: {
      authorization: '/authorize',
      token: '/token',
      jwks: '/jwks',
      userinfo: '/userinfo',
      introspection: '/introspect',
      revocation: '/revoke',
      end_session: '/logout',
    },
    cookies: {
      keys: [options.cookieKey.toString('base64url')],
      names: { session: 'taskwire_session', interaction: 'taskwire_interaction', resume: 'taskwire_resume' },
      long: { httpOnly: true, sameSite: 'lax', signed: true },
      short: { httpOnly: true, sameSite: 'lax', signed: true },
    },
    responseTypes: ['code'],
    scopes: openidScopes,
    // off, so that the allowed claims are also in the ID token: many clients never call userinfo
    conformIdTokenClaims: false,
    claims: { openid: ['sub'], profile: ['name', 'updated_at'], email: ['email', 'email_verified'] },
    pkce: { required: () => true },
    // OAuth 2.1 section 2.4.1: a client with a secret may send it either way, regardless of the method that it was registered with
    clientAuthMethods: ['private_key_jwt', 'client_secret_basic', 'client_secret_post', 'none'],
    clientDefaults: { id_token_signed_response_alg: 'ES256', token_endpoint_auth_method: 'private_key_jwt' },
    extraClientMetadata: { properties: ['grants', 'introspects', 'queues'] },
    enabledJWA: {
      clientAuthSigningAlgValues: ['ES256', 'EdDSA', 'Ed25519', 'PS256'],
      idTokenSigningAlgValues: ['ES256'],
    },
    // RFC 9700 section 2.2.2: rotation for every client; reuse revokes the token family, see the adapter
    rotateRefreshToken: true,
    assertJwtClientAuthClaimsAndHeader,
    allowOmittingSingleRegisteredRedirectUri: false,
    clientBasedCORS: clientBasedCors(options),
    formats: { customizers: { jwt: completeAccessToken } },
    ttl: {
      AccessToken: accessTokenSeconds,
      AuthorizationCode: codeSeconds,
      ClientCredentials: accessTokenSeconds,
      Grant: sessionDays * daySeconds,
      IdToken: accessTokenSeconds,
      Interaction: interactionSeconds,
      RefreshToken: refreshTokenDays * daySeconds,
      Session: browserSeconds,
    },
    interactions: {
      policy: interactionPolicy(options),
      url: (_ctx, { uid }) => `${new URL(options.issuer).pathname}/interaction/${uid}`,
    },
    renderError: errorPage,
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      // every service would have to verify the key that a token is bound to
      dPoP: { enabled: false },
      introspection: { enabled: true, allowedPolicy: isOwnToken },
      revocation: { enabled: true, allowedPolicy: isOwnToken },
      pushedAuthorizationRequests: { enabled: false },
      resourceIndicators: resourceIndicators(accessTokenSeconds),
      rpInitiatedLogout: { enabled: true, logoutSource: logoutPage, postLogoutSuccessSource: loggedOutPage },
      userinfo: { enabled: true },
    },
  };
}

/** To a client, other clients' tokens appear not to exist. */
function isOwnToken(_ctx: unknown, client: { clientId: string }, token: { clientId?: string | undefined }): boolean {
  return token.clientId === client.clientId;
}

/** Compares digests, which have a fixed length regardless of the input. */
function compareClientSecret(this: { clientSecret: string }, given: string): boolean {
  const digest = createHash('sha256').update(given).digest();
  const known = Buffer.from(this.clientSecret, 'base64url');
  return known.length === digest.length && timingSafeEqual(known, digest);
}

/** The issuer is the only accepted audience: an assertion intended for another server is not valid here (RFC 7523bis section 3). */
function assertJwtClientAuthClaimsAndHeader(
  ctx: KoaContextWithOIDC,
  claims: Record<string, unknown>,
  _header: unknown,
): void {
  const audience = Array.isArray(claims['aud']) ? claims['aud'] : [claims['aud']];
  if (!audience.includes(ctx.oidc.issuer)) throw new errors.InvalidClientAuth('audience must be the issuer');
  if (Number(claims['exp']) > Date.now() / 1000 + assertionSeconds) {
    throw new errors.InvalidClientAuth(assertionTooLong);
  }
}
