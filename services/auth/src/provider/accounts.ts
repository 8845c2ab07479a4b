import type { Account, JWTStructured, KoaContextWithOIDC } from 'oidc-provider';
import * as errors from 'oidc-provider/lib/helpers/errors.js';
import type { Sessions, Subject } from '../app/ports.ts';

/** An account as `findAccount` gives it. */
export type KnownAccount = Account & { subject: Subject };

/** Users as the provider sees them; deleted ones are not there. */
export function findAccount(sessions: Sessions) {
  return async (_ctx: unknown, id: string): Promise<KnownAccount | undefined> => {
    const subject = await sessions.subject(id);
    if (subject === undefined) return undefined;
    const { user } = subject;
    return {
      accountId: user.id,
      subject,
      // which of these are shown is decided by scope and consent
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
 * Makes a user's access token say what services read: what was allowed of OpenID Connect beside the scopes of the service, the role, whether the address is verified, the session (the grant it comes from), when the person logged in, and a
 * time of issue that is never before `tokens_valid_after`. Tokens that a client gets in its own name stay as they are.
 */
export function completeAccessToken(ctx: KoaContextWithOIDC, token: Token, { payload }: JWTStructured): void {
  if (token.kind !== 'AccessToken') return;
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

/** With `openid` in its scope a token is good at userinfo, whatever service it is for: one log-in gives one token for both. */
function openidScopeOf(ctx: KoaContextWithOIDC): string {
  const { params, requestParamScopes, entities } = ctx.oidc;
  const wanted = params?.['scope'] === undefined ? sourceOf(ctx)?.scopes : requestParamScopes;
  return entities.Grant?.getOIDCScopeFiltered(wanted ?? new Set()) ?? '';
}

/** The code or refresh token that a token is given for. */
function sourceOf({ oidc: { entities } }: KoaContextWithOIDC) {
  return entities.AuthorizationCode ?? entities.RefreshToken;
}
