import { AsyncLocalStorage } from 'node:async_hooks';
import type { JWTPayload } from 'jose';
import type { Client, KoaContextWithOIDC, Provider } from 'oidc-provider';
import * as errors from 'oidc-provider/lib/helpers/errors.js';
import type { Sessions } from '../app/ports/sessions.ts';
import { userClaims, type VerifyAccessToken } from './access-token-verifier.ts';

type Options = {
  provider: Provider;
  verify: VerifyAccessToken;
  sessions: Sessions;
};

/**
 * Introspection (RFC 7662) and revocation (RFC 7009) of our own JWT access tokens, which the provider refuses as `unsupported_token_type` once it has
 * identified the client. Therefore this middleware also enforces all of the provider's requirements for clients.
 */
export function handleJwtAccessTokens(options: Options): void {
  const { provider, verify } = options;
  const refused = new WeakMap<object, { context: KoaContextWithOIDC; answer: Answer; within: Within }>();
  const note = (answer: Answer) => (context: KoaContextWithOIDC, error: Error) => {
    if (!(error instanceof errors.UnsupportedTokenType)) return;
    // the provider's request context (`Provider.ctx`) no longer exists once it has responded
    refused.set(context, { context, answer, within: AsyncLocalStorage.snapshot() });
  };
  provider.on('introspection.error', note(introspect));
  provider.on('revocation.error', note(revoke));
  provider.use(async (ctx, next) => {
    await next();
    const found = refused.get(ctx);
    if (found === undefined) return;
    const { client, params } = found.context.oidc;
    if (client === undefined) return;
    try {
      const claims = await verify(String(params?.['token']));
      await found.within(async () => await found.answer(found.context, { ...options, client, claims }));
    } catch (error) {
      // as the provider does
      ctx.status = 500;
      ctx.body = { error: 'server_error', error_description: 'oops! something went wrong' };
      provider.emit('server_error', found.context, error);
    }
  });
}

type Within = ReturnType<typeof AsyncLocalStorage.snapshot>;
type Question = Options & { client: Client; claims: JWTPayload | undefined };
type Answer = (ctx: KoaContextWithOIDC, question: Question) => Promise<void>;

/** A caller without the right to introspect gets the response for an inactive token (RFC 7662 section 2.2). */
async function introspect(ctx: KoaContextWithOIDC, { client, claims, ...options }: Question): Promise<void> {
  ctx.status = 200;
  ctx.body = { active: false };
  if (claims === undefined || !(isOwn(client, claims) || isForItsAudience(client, claims))) return;
  const known = await ownerNow(claims, options);
  if (known !== 'ended') ctx.body = { active: true, token_type: 'Bearer', ...claims, ...known };
}

/**
 * Revoking a user's token also revokes everything else issued under the same consent, as the provider does for opaque tokens. A token that is
 * invalid, expired, or another client's gets the same response (RFC 7009 section 2.2). A client's own token belongs to no consent and can't be
 * revoked.
 */
async function revoke(ctx: KoaContextWithOIDC, { client, claims, provider }: Question): Promise<void> {
  if (claims !== undefined && isOwn(client, claims)) {
    const { data } = userClaims.safeParse(claims);
    if (data === undefined) return;
    await provider.Grant.adapter.destroy(data.sid);
  }
  ctx.status = 200;
  ctx.body = '';
}

function isOwn(client: Client, claims: JWTPayload): boolean {
  return claims['client_id'] === client.clientId;
}

/**
 * Whether a client is the service for which a token was issued, which may therefore introspect the token; RFC 7662 section 4 requires callers to be
 * authorized.
 */
function isForItsAudience(client: Client, { aud }: JWTPayload): boolean {
  const served = client['introspects'];
  return Array.isArray(served) && [aud].flat().some((audience) => served.includes(audience));
}

/** Returns the current state of the token's owner. */
async function ownerNow(claims: JWTPayload, { provider, sessions }: Options): Promise<object | 'ended'> {
  if (claims.sub === claims['client_id']) return (await provider.Client.find(String(claims.sub))) ? {} : 'ended';
  const { data } = userClaims.safeParse(claims);
  if (data === undefined) return 'ended';
  const issuedAt = new Date(data.iat * 1000);
  const access = await sessions.checkAccess({ userId: data.sub, sessionId: data.sid, issuedAt });
  return access === 'revoked' ? 'ended' : { role: access.role, email_verified: access.emailVerified };
}
