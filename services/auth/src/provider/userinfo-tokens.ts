import type { Provider } from 'oidc-provider';
import { z } from 'zod';
import type { Sessions } from '../app/ports.ts';
import { userClaims, type VerifyAccessToken } from './access-token-verifier.ts';

type Options = { provider: Provider; verify: VerifyAccessToken; sessions: Sessions };

const claimsAtUserinfo = userClaims.extend({ client_id: z.string(), scope: z.string(), exp: z.number() });

/**
 * Has userinfo take access tokens for a service too, when their scope has `openid`: a front end then needs one token, not two. Userinfo is the issuer's
 * own, so no service learns anything from a token that it could not get from the issuer with the same consent; what tokens are good for at the
 * services stays a matter of their audience (RFC 8707). Revoked and expired tokens, and those of ended sessions, are unknown here as they are there.
 */
export function takeJwtsAtUserinfo({ provider, verify, sessions }: Options): void {
  const { AccessToken } = provider;
  const findStored = AccessToken.find.bind(AccessToken);
  // the provider asks for JWTs here at userinfo alone: introspection and revocation have an answer for them before
  const find: typeof findStored = async (value, options) => {
    if (typeof value !== 'string' || value.split('.').length !== 3) return await findStored(value, options);
    const { data } = claimsAtUserinfo.safeParse(await verify(value));
    if (data === undefined) return undefined;
    const { sub: accountId, sid: grantId, client_id: clientId, iat, exp, scope } = data;
    const access = await sessions.checkAccess({
      userId: accountId,
      sessionId: grantId,
      issuedAt: new Date(iat * 1000),
    });
    const client = access === 'revoked' ? undefined : await provider.Client.find(clientId);
    if (client === undefined) return undefined;
    return Object.assign(new AccessToken({ accountId, client, grantId, scope, gty: 'authorization_code' }), {
      iat,
      exp,
    });
  };
  Object.assign(AccessToken, { find });
}
