import type { Provider } from 'oidc-provider';
import { z } from 'zod';
import type { Sessions } from '../app/ports/sessions.ts';
import { userClaims, type VerifyAccessToken } from './access-token-verifier.ts';

type Options = { provider: Provider; verify: VerifyAccessToken; sessions: Sessions };

const claimsAtUserinfo = userClaims.extend({ client_id: z.string(), scope: z.string(), exp: z.number() });

/**
 * Makes userinfo also accept access tokens for a service if their scope includes `openid`, so that a front end needs only one token. Userinfo belongs
 * to the issuer, and returns to a service that presents such a token only the data that the user's consent covers. At the services, the audience
 * still decides which tokens are accepted (RFC 8707). Tokens that are revoked or expired, or whose session has ended, are rejected at userinfo as
 * they are at the services.
 */
export function acceptJwtsAtUserinfo({ provider, verify, sessions }: Options): void {
  const { AccessToken } = provider;
  const findStored = AccessToken.find.bind(AccessToken);
  // the provider looks up JWTs with this function only for userinfo, because introspection and revocation are handled earlier
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
