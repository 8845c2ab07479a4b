import { expect } from 'chai';
import { generateKeyPair, SignJWT, type CryptoKey } from 'jose';
import type { UserAccess } from '@taskwire/contracts';
import type { Problem } from '@taskwire/errors';
import { requireAccess } from '../src/access/requirements.ts';
import { jwtAuthenticator, type UserClaims } from '../src/access/authenticator.ts';

const issuer = 'http://localhost:8080/oidc';
const audience = 'urn:taskwire:test';
const userId = '019aa1b2-0000-7000-8000-000000000001';

describe('An account with an unverified address', () => {
  let keys: { privateKey: CryptoKey; publicKey: CryptoKey };
  const seen: UserClaims[] = [];
  before(async () => (keys = await generateKeyPair('ES256')));

  async function actorWith(claims: Record<string, unknown>) {
    const token = await new SignJWT({ role: 'admin', client_id: 'first-party', ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1', typ: 'at+jwt' })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject(userId)
      .setIssuedAt()
      .setExpirationTime('10m')
      .sign(keys.privateKey);
    const authenticator = jwtAuthenticator({
      ...{ issuer, audience },
      keys: { keyFor: async () => keys.publicKey },
      async checkUser(found) {
        seen.push(found);
        return { role: found.role, isRestricted: found.emailVerified !== true };
      },
    });
    return await authenticator.authenticate(`Bearer ${token}`);
  }

  const route: UserAccess = { kind: 'user', scopes: ['account:read'] };
  const refusalOf = async (access: UserAccess, claims: Record<string, unknown>): Promise<string | undefined> => {
    const actor = await actorWith(claims);
    try {
      requireAccess(access, actor);
      return undefined;
    } catch (error) {
      return (error as Problem).code;
    }
  };

  it('is denied every route that the contract does not mark as unverified, whatever its role', async () => {
    expect(await refusalOf(route, { email_verified: false })).to.equal('email_not_verified');
    expect(await refusalOf({ ...route, roles: ['admin'] }, { email_verified: false })).to.equal('email_not_verified');
    expect(await refusalOf({ ...route, unverified: true }, { email_verified: false })).to.equal(undefined);
    expect(await refusalOf(route, { email_verified: true })).to.equal(undefined);
  });

  it('is recognized by a claim of the token; a missing claim is passed to the service as undefined', async () => {
    for (const claims of [{ email_verified: true }, { email_verified: false }, {}]) await actorWith(claims);
    expect(seen.slice(-3).map(({ emailVerified }) => emailVerified)).to.deep.equal([true, false, undefined]);
  });

  it('is rejected if the claim is not a boolean', async () => {
    for (const claim of ['true', 1, {}, null]) {
      const failure = await actorWith({ email_verified: claim }).catch((error: unknown) => error as Problem);
      expect(failure).to.include({ code: 'invalid_token' });
    }
  });
});
