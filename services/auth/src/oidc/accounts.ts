import { audiencesOf, everyService } from '@taskwire/contracts';
import { addLogFields } from '@taskwire/telemetry';
import type { Account, JWTStructured, KoaContextWithOIDC } from 'oidc-provider';
import * as errors from 'oidc-provider/lib/helpers/errors.js';
import type { Sessions, Subject } from '../app/ports/sessions.ts';

/** An account as returned by `findAccount`. */
export type KnownAccount = Account & { subject: Subject };

/** Returns users to the provider. Deleted users are not found. */
export function findAccount(sessions: Sessions) {
  return async (_ctx: unknown, id: string): Promise<KnownAccount | undefined> => {
    const subject = await sessions.subject(id);
    if (subject === undefined) return undefined;
    const { user } = subject;
    addLogFields({ user_id: user.id });
    return {
      accountId: user.id,
      subject,
      // scope and consent decide which of these claims are returned
      claims: () => ({
        sub: user.id,
        email: user.email,
        email_verified: user.email_verified,
        name: user.name,
        updated_at: Math.floor(Date.parse(user.updated_at) / 1000),
      }),
    };
  };
}

type Token = { kind: string; grantId?: string | undefined; scope?: string | undefined };

/**
 * Gives a token for every service the audiences of all of them. Adds the claims that services read to a user's access token: the OpenID Connect
 * scopes granted beside the service's scopes, the role, whether the address is verified, the session (the grant that the token comes from), the time of
 * the log-in, and an `iat` that is never before `tokens_valid_after`. A token that a client
 * obtains on its own behalf names the client's queues if it has a scope of jobs.
 */
export function completeAccessToken(ctx: KoaContextWithOIDC, token: Token, { payload }: JWTStructured): void {
  // the provider itself supports only tokens with one audience
  if (payload['aud'] === everyService) payload['aud'] = [...audiencesOf(everyService)];
  if (token.kind !== 'AccessToken') {
    if (/(^| )jobs:/.test(token.scope ?? '')) payload['queues'] = ctx.oidc.client?.['queues'] ?? [];
    return;
  }
  const { subject } = ctx.oidc.account as KnownAccount;
  if (token.scope === undefined || token.scope === '') {
    throw new errors.InvalidScope('no scope of this resource was granted', '');
  }
  token.scope = [openidScopeOf(ctx), token.scope].filter(Boolean).join(' ');
  payload['scope'] = token.scope;
  const issuedAt = Math.max(Number(payload['iat']), subject.issuedAt);
  payload['exp'] = Number(payload['exp']) + issuedAt - Number(payload['iat']);
  payload['iat'] = issuedAt;
  payload['role'] = subject.user.role;
  payload['email_verified'] = subject.user.email_verified;
  payload['sid'] = token.grantId;
  const authTime = sourceOf(ctx)?.authTime;
  if (authTime !== undefined) payload['auth_time'] = authTime;
}

/** A token with `openid` in its scope is valid at userinfo, whichever service it is for: one log-in yields one token for both. */
function openidScopeOf(ctx: KoaContextWithOIDC): string {
  const { params, requestParamScopes, entities } = ctx.oidc;
  const requested = params?.['scope'] === undefined ? sourceOf(ctx)?.scopes : requestParamScopes;
  return entities.Grant?.getOIDCScopeFiltered(requested ?? new Set()) ?? '';
}

/** The authorization code or refresh token that is exchanged for a token. */
export function sourceOf({ oidc: { entities } }: KoaContextWithOIDC) {
  return entities.AuthorizationCode ?? entities.RefreshToken;
}
