import { randomUUIDv7 } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { Role } from '@taskwire/contracts';

/** The differences from a token that our own front end has just requested for the service under test. */
export type TokenOverrides = {
  audience?: string;
  /** In seconds. */
  expiresIn?: number;
  emailVerified?: boolean;
  /** Seconds since the user logged in. */
  loggedInAgo?: number;
  /** Another application that holds the token. */
  application?: { clientId: string; scopes: readonly string[] };
  /** The queues of a service. */
  queues?: readonly string[];
};

/** Issues access tokens like Auth, with a separate key. */
export type TokenIssuer = {
  issuer: string;
  /** The response of `/oidc/jwks`. */
  jwks: { keys: object[] };
  userToken(user: { id: string; role: Role }, overrides?: TokenOverrides): Promise<string>;
  serviceToken(client: { clientId: string; scope: string }, overrides?: TokenOverrides): Promise<string>;
};

/** Creates an issuer whose tokens are for `audience` unless overridden. */
export async function createTokenIssuer(audience: string): Promise<TokenIssuer> {
  const issuer = 'http://auth.test/oidc';
  const { publicKey, privateKey } = await generateKeyPair('ES256');

  async function sign(claims: Record<string, unknown>, { audience: aud = audience, expiresIn = 600 }: TokenOverrides) {
    const now = Math.floor(Date.now() / 1000);
    return await new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', kid: 'key', typ: 'at+jwt' })
      .setIssuer(issuer)
      .setAudience(aud)
      .setIssuedAt(now)
      .setExpirationTime(now + expiresIn)
      .setJti(randomUUIDv7())
      .sign(privateKey);
  }

  return {
    issuer,
    jwks: { keys: [{ ...(await exportJWK(publicKey)), kid: 'key', alg: 'ES256', use: 'sig' }] },
    async userToken({ id, role }, { emailVerified = true, ...overrides } = {}) {
      const { application = { clientId: 'first-party', scopes: [] }, loggedInAgo = 0 } = overrides;
      const claims = {
        sub: id,
        role,
        email_verified: emailVerified,
        sid: id,
        client_id: application.clientId,
        scope: application.scopes.join(' '),
        auth_time: Math.floor(Date.now() / 1000) - loggedInAgo,
      };
      return await sign(claims, overrides);
    },
    serviceToken: async ({ clientId, scope }, overrides = {}) =>
      await sign({ sub: clientId, client_id: clientId, scope, queues: overrides.queues }, overrides),
  };
}
