import { expect } from 'chai';
import { generateKeyPair, type CryptoKey } from 'jose';
import { revokedId, startThingsServer, userId, type Claims, type ThingsServer } from './support/things-server.ts';

describe('access tokens of the HTTP server', () => {
  let server: ThingsServer;
  let otherKey: CryptoKey;
  before(async () => {
    server = await startThingsServer();
    otherKey = (await generateKeyPair('ES256')).privateKey;
  });
  after(async () => await server.stop());

  describe('on a route', () => {
    const path = `/api/v1/things/${userId}`;
    const cases: [string, () => Promise<string | null>, string, number, string][] = [
      ['no token', async () => null, path, 401, 'unauthenticated'],
      ['nonsense', async () => 'nonsense', path, 401, 'invalid_token'],
      ['a huge token', async () => `${'a'.repeat(5000)}.b.c`, path, 401, 'invalid_token'],
      ['an expired token', async () => await server.sign({ exp: '-1m' }), path, 401, 'token_expired'],
      [
        'a token for another audience',
        async () => await server.sign({ aud: 'urn:taskwire:other' }),
        path,
        401,
        'invalid_token',
      ],
      [
        'a token of another issuer',
        async () => await server.sign({ iss: 'https://evil.test' }),
        path,
        401,
        'invalid_token',
      ],
      ['a token of another type', async () => await server.sign({ typ: 'JWT' }), path, 401, 'invalid_token'],
      ['a token signed by another key', async () => await server.sign({}, otherKey), path, 401, 'invalid_token'],
      [
        'an unknown key id',
        async () => await server.sign({}, server.privateKey, '../../etc'),
        path,
        401,
        'invalid_token',
      ],
      [
        'alg none',
        async () =>
          `${btoa('{"alg":"none","typ":"at+jwt","kid":"k1"}')}.${server.token.split('.')[1]}.x`.replaceAll('=', ''),
        path,
        401,
        'invalid_token',
      ],
      ['an unknown role', async () => await server.sign({ role: 'root' }), path, 401, 'invalid_token'],
      ['a user whose access has ended', async () => await server.sign({ sub: revokedId }), path, 401, 'access_revoked'],
      ['a role that is not allowed', async () => server.token, '/api/v1/things/first', 403, 'forbidden'],
      [
        'a service on a path for users',
        async () => await server.sign({ sub: 'tasks', client_id: 'tasks', scope: 'tasks:read' }),
        path,
        403,
        'forbidden',
      ],
      ['a user on a path for services', async () => server.token, `/things/${userId}`, 403, 'insufficient_scope'],
      [
        'a service without the scope',
        async () => await server.sign({ sub: 'tasks', client_id: 'tasks', scope: 'other:read' }),
        `/things/${userId}`,
        403,
        'insufficient_scope',
      ],
    ];
    for (const [what, make, where, status, code] of cases) {
      it(`answers ${what} with ${status} ${code}`, async () => {
        const answer = await server.call(where, { token: await make() });
        expect([answer.status, answer.body.code]).to.deep.equal([status, code]);
        if (status === 401) expect(answer.headers.get('www-authenticate')).to.match(/^Bearer/);
      });
    }

    it('admits a service with the scope', async () => {
      const service = await server.sign({ sub: 'tasks', client_id: 'tasks', scope: 'a tasks:read' });
      expect((await server.call(`/things/${userId}`, { token: service })).body.id).to.equal('tasks');
    });

    it('identifies a user where a token is optional, and rejects an invalid token or one of a service there', async () => {
      const ask = async (given: string | null) => await server.call('/api/v1/known', { method: 'POST', token: given });
      expect((await ask(null)).body).to.include({ id: '-' });
      expect((await ask(server.token)).body).to.include({ id: userId });
      expect((await ask(await server.sign({ sub: revokedId }))).body).to.include({ code: 'access_revoked' });
      expect((await ask('not.a.token')).body).to.include({ code: 'invalid_token' });
      const service = await server.sign({ sub: 'tasks', client_id: 'tasks', scope: 'things:read' });
      expect((await ask(service)).body).to.include({ code: 'forbidden' });
    });

    it('matches a path with literal segments before one with parameters', async () => {
      expect(
        (await server.call('/api/v1/things/first', { token: await server.sign({ role: 'admin' }) })).body.title,
      ).to.equal('first');
    });
  });

  describe('on a route that requires a recent log-in', () => {
    const path = `/api/v1/things/${userId}`;
    const drop = async (claims: Claims, init: RequestInit = {}) =>
      await server.call(path, { method: 'DELETE', token: await server.sign(claims), ...init });
    const secondsAgo = (seconds: number) => Math.floor(Date.now() / 1000) - seconds;

    const refused: [string, () => Claims][] = [
      ['older than five minutes', () => ({ auth_time: secondsAgo(302) })],
      ['missing from the token', () => ({})],
      ['dated in the future', () => ({ auth_time: secondsAgo(-60) })],
      ['beyond the range of dates', () => ({ auth_time: 1e300 })],
    ];
    for (const [what, claims] of refused) {
      it(`rejects a log-in ${what}, and explains how to renew it`, async () => {
        const { status, body, headers } = await drop(claims());
        expect([status, body.code]).to.deep.equal([403, 'reauthentication_required']);
        expect(body.detail).to.include('/api/v1/auth/reauthenticate');
        const challenge = headers.get('www-authenticate');
        expect(challenge).to.match(/^Bearer error="insufficient_user_authentication".*, max_age="300"$/);
      });
    }

    it('explains to another application how to renew a log-in', async () => {
      const claims = { client_id: 'portal', scope: 'tasks:write', auth_time: secondsAgo(3_600) };
      const { status, body } = await drop(claims);
      expect([status, body.code]).to.deep.equal([403, 'reauthentication_required']);
      expect(body.detail).to.include('prompt=login').and.not.to.include('reauthenticate');
    });

    it("admits a log-in within five minutes, even when Auth's clock is slightly ahead", async () => {
      for (const seconds of [0, 290, -3]) {
        const claims = { auth_time: secondsAgo(seconds) };
        expect((await drop(claims)).status, `${seconds} s`).to.equal(200);
      }
    });
  });
});
