import { expect } from 'chai';
import { decodeJwt, SignJWT } from 'jose';
import { expectProblem } from './support/api.ts';
import { loggedIn } from './support/auth-harness.ts';
import { contract, forServices, forUsers, goodBodies, guarded, type Operation } from './support/operations.ts';
import { signed } from './support/stand-in-tokens.ts';
import { useUntouchedAuth } from './support/untouched-auth.ts';

describe('bad access tokens at Auth', () => {
  const { harness, admin, service, acceptRows } = useUntouchedAuth();

  async function expectRefused(operation: Operation, authorization: string | undefined, code: string): Promise<void> {
    const body = goodBodies[operation];
    const answer = await harness().api.raw(contract(operation).path.replace('{id}', admin().id), {
      method: contract(operation).method.toUpperCase(),
      headers: {
        ...(authorization === undefined ? {} : { authorization }),
        'if-match': '*',
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    expect(answer.status).to.equal(401, `${operation} ${authorization?.slice(0, 40)}`);
    expectProblem(answer, code);
    expect(answer.headers.get('www-authenticate')).to.match(/^Bearer/);
  }

  it('are rejected with 401 on every protected operation, and so are requests without a token', async () => {
    for (const operation of guarded) await expectRefused(operation, undefined, 'unauthenticated');
  });

  it('are rejected with 401 on every operation if they are not ours', async () => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { sub: admin().id, client_id: 'first-party', aud: 'urn:taskwire:auth', role: 'admin' as const };
    const sid = String(decodeJwt(admin().token)['sid']);
    const [header = '', payload = '', signature = ''] = admin().token.split('.');
    const none = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${payload}.`;
    const hmac = await new SignJWT({ ...claims, sid })
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
      .setIssuer('http://localhost:8080/oidc')
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(Buffer.from(JSON.stringify((await harness().api.call('jwks')).body)));
    const bad = [
      'x',
      'a.b.c',
      none,
      hmac,
      `${header}.${payload}.${signature.slice(0, -4)}AAAA`,
      `${header}.${Buffer.from(JSON.stringify({ ...decodeJwt(admin().token), role: 'admin', x: 1 })).toString('base64url')}.${signature}`,
      `${header}.${payload}.${'A'.repeat(10_000)}`,
      await signed(harness(), { ...claims, sid, aud: 'urn:taskwire:tasks' }),
      await signed(harness(), { ...claims, sid, iss: 'https://elsewhere.example' }),
      await signed(harness(), { ...claims, sid }, { typ: 'JWT' }),
      await signed(harness(), { ...claims, sid }, { kid: 'unknown' }),
      await signed(harness(), { ...claims, sub: 'not-a-uuid' }),
    ];
    const expired = await signed(harness(), { ...claims, sid, iat: now - 700, exp: now - 60 });
    for (const operation of guarded) {
      for (const token of bad) await expectRefused(operation, `Bearer ${token}`, 'invalid_token');
      await expectRefused(operation, `Bearer ${expired}`, 'token_expired');
      await expectRefused(operation, 'Basic dGFza3M6c2VjcmV0', 'invalid_token');
    }
  });

  it("are rejected with 401 if they name an unknown user or another user's session", async () => {
    const other = await loggedIn(harness(), 'member');
    await acceptRows();
    const claims = { client_id: 'first-party', aud: 'urn:taskwire:auth', role: 'admin' as const };
    const sid = String(decodeJwt(other.token)['sid']);
    for (const token of [
      await signed(harness(), { ...claims, sub: '01999999-0000-7000-8000-000000000000', sid }),
      await signed(harness(), { ...claims, sub: admin().id, sid }),
      await signed(harness(), { ...claims, sub: admin().id }),
      await signed(harness(), { ...claims, sub: admin().id, sid: 'not-a-uuid' }),
    ]) {
      for (const operation of forUsers) await expectRefused(operation, `Bearer ${token}`, 'access_revoked');
    }
  });

  it('never override the role in the database with their own', async () => {
    const member = await loggedIn(harness(), 'member');
    await acceptRows();
    const { sid } = decodeJwt(member.token);
    const forged = { sub: member.id, client_id: 'first-party', aud: 'urn:taskwire:auth', sid: String(sid) };
    const token = await signed(harness(), { ...forged, role: 'admin' });
    expectProblem(await harness().api.call('listUsers', { token }), 'forbidden');
  });

  async function send(operation: Operation, authorization: string) {
    const body = goodBodies[operation];
    const { method, path, ifMatch } = contract(operation);
    return await harness().api.raw(path.replace('{id}', admin().id), {
      method: method.toUpperCase(),
      headers: {
        authorization,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(ifMatch === undefined ? {} : { 'if-match': '*' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  it("are rejected with 403 if a service's token is used for user operations, and vice versa", async () => {
    for (const operation of forUsers) {
      const answer = await send(operation, `Bearer ${service()}`);
      expect(answer.status).to.equal(403, operation);
      expectProblem(answer, 'forbidden');
    }
    for (const operation of forServices) {
      expectProblem(await send(operation, `Bearer ${admin().token}`), 'insufficient_scope');
    }
  });
});
