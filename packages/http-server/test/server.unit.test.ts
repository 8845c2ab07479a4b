import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose';
import { z } from 'zod';
import { defineRoute, schemas } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { createTelemetry } from '@taskwire/telemetry';
import { answer, bind, createHttpServer, jwtAuthenticator, toVerificationKey } from '../src/index.ts';
import type { HttpServer } from '../src/index.ts';

const issuer = 'http://localhost:8080/oidc';
const audience = 'urn:taskwire:test';
const userId = '019aa1b2-0000-7000-8000-000000000001';
const revokedId = '019aa1b2-0000-7000-8000-000000000002';

const thing = z.object({ id: z.string(), title: z.string() });

const routes = {
  create: defineRoute({
    method: 'post',
    path: '/api/v1/things',
    operationId: 'create',
    summary: '',
    tag: '',
    access: { kind: 'user', scopes: ['tasks:read'] },
    idempotent: true,
    body: z.strictObject({ title: z.string().max(10), labels: z.array(z.string()).default([]) }),
    responses: { 201: thing },
  }),
  first: defineRoute({
    method: 'get',
    path: '/api/v1/things/first',
    operationId: 'first',
    summary: '',
    tag: '',
    access: { kind: 'user', scopes: ['admin'], roles: ['admin'] },
    responses: { 200: thing },
  }),
  read: defineRoute({
    method: 'get',
    path: '/api/v1/things/{id}',
    operationId: 'read',
    summary: '',
    tag: '',
    access: { kind: 'user', scopes: ['tasks:read'] },
    params: schemas.idParams,
    query: z.strictObject(schemas.page),
    responses: { 200: thing },
    etag: true,
    storable: true,
  }),
  drop: defineRoute({
    method: 'delete',
    path: '/api/v1/things/{id}',
    operationId: 'drop',
    summary: '',
    tag: '',
    access: { kind: 'user', scopes: ['tasks:write'], recentLogin: true },
    params: schemas.idParams,
    body: z.strictObject({ reason: z.string().optional() }),
    optionalBody: true,
    responses: { 200: z.object({ body: z.unknown() }) },
  }),
  internal: defineRoute({
    method: 'get',
    path: '/things/{id}',
    operationId: 'internal',
    summary: '',
    tag: '',
    access: { kind: 'service', scope: 'tasks:read' },
    params: schemas.idParams,
    responses: { 200: thing },
  }),
  known: defineRoute({
    method: 'post',
    path: '/api/v1/known',
    operationId: 'known',
    summary: '',
    tag: '',
    access: { kind: 'anyone', user: 'optional' },
    responses: { 200: thing },
  }),
  broken: defineRoute({
    method: 'get',
    path: '/api/v1/broken',
    operationId: 'broken',
    summary: '',
    tag: '',
    access: { kind: 'anyone' },
    responses: { 204: null },
  }),
  limited: defineRoute({
    method: 'get',
    path: '/api/v1/limited',
    operationId: 'limited',
    summary: '',
    tag: '',
    access: { kind: 'anyone' },
    responses: { 204: null },
  }),
};

describe('The HTTP server', () => {
  let server: HttpServer;
  let keys: { privateKey: CryptoKey; publicKey: CryptoKey };
  let other: { privateKey: CryptoKey; publicKey: CryptoKey };
  let token: string;
  const reads: string[] = [];
  const log = new PassThrough();
  const logged = text(log);
  const telemetry = createTelemetry({ service: 'test', stream: log });

  type Claims = {
    sub?: string;
    aud?: string | string[];
    typ?: string;
    role?: string;
    scope?: string;
    client_id?: string;
    auth_time?: number;
    exp?: string;
    iss?: string;
  };

  async function sign(claims: Claims = {}, key = keys.privateKey, kid = 'k1'): Promise<string> {
    const { exp = '10m', typ = 'at+jwt', aud = [audience, 'urn:taskwire:other'], iss = issuer, ...rest } = claims;
    return await new SignJWT({ sub: userId, role: 'member', client_id: 'first-party', ...rest })
      .setProtectedHeader({ alg: 'ES256', kid, typ })
      .setIssuer(iss)
      .setAudience(aud)
      .setIssuedAt()
      .setExpirationTime(exp)
      .sign(key);
  }

  before(async () => {
    keys = await generateKeyPair('ES256', { extractable: true });
    other = await generateKeyPair('ES256', { extractable: true });
    const known = await toVerificationKey({ ...(await exportJWK(keys.publicKey)), kid: 'k1' });
    token = await sign();
    server = createHttpServer({
      telemetry,
      host: '127.0.0.1',
      port: 0,
      trustedProxies: ['loopback'],
      readiness: {
        database: async () => undefined,
        broker: async () => {
          throw new Error('cannot reach amqp://tasks:hunter2@broker');
        },
      },
      authenticator: jwtAuthenticator({
        issuer,
        audience,
        keys: { keyFor: async (kid) => (kid === 'k1' ? known : undefined) },
        async checkUser(claims) {
          return claims.userId === revokedId ? 'revoked' : { role: claims.role };
        },
      }),
      routes: [
        bind(routes.read, async ({ params, actor }) => {
          reads.push(actor.id);
          return answer(200, { id: params.id, title: 'x' }, { etag: 7 });
        }),
        bind(routes.create, async ({ body, idempotent }) =>
          answer(
            201,
            { id: idempotent?.key ?? '-', title: body.title },
            { headers: { Location: '/x' }, replayed: false },
          ),
        ),
        bind(routes.first, async ({ actor }) => answer(200, { id: actor.id, title: 'first' })),
        bind(routes.drop, async ({ body }) => answer(200, { body: body ?? null })),
        bind(routes.internal, async ({ actor }) => answer(200, { id: actor.clientId, title: 'internal' })),
        bind(routes.known, async ({ actor }) => answer(200, { id: actor?.id ?? '-', title: 'known' })),
        bind(routes.broken, async () => {
          throw new Error('the inside of the service');
        }),
        bind(routes.limited, async () => {
          throw problem('rate_limited', 'Slow down.', { headers: { 'Retry-After': '3' } });
        }),
      ],
    });
    await server.start();
  });

  after(async () => {
    await server.stop();
    await telemetry.shutdown();
    log.end();
    expect(await logged).not.to.contain(token);
  });

  async function call(path: string, init: RequestInit & { token?: string | null } = {}) {
    const { token: given = token, ...rest } = init;
    const headers = new Headers(rest.headers);
    if (given !== null) headers.set('authorization', `Bearer ${given}`);
    const response = await fetch(`${server.url()}${path}`, { ...rest, headers });
    const body = await response.text();
    return { status: response.status, headers: response.headers, body: body === '' ? undefined : JSON.parse(body) };
  }

  const metrics = async () => await (await fetch(`${server.url()}/metrics`)).text();

  const post = async (body: string, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
    await call('/api/v1/things', { method: 'POST', body, headers });

  describe('with input that cannot be used', () => {
    const cases: [string, () => ReturnType<typeof call>, number, string][] = [
      ['malformed JSON', () => post('{"title":'), 400, 'malformed_json'],
      ['no body', () => call('/api/v1/things', { method: 'POST' }), 400, 'malformed_json'],
      ['a wrong type', () => post('{"title":1}'), 422, 'invalid_input'],
      ['a body that is not an object', () => post('[]'), 422, 'invalid_input'],
      ['an unknown field', () => post('{"title":"a","role":"admin"}'), 422, 'invalid_input'],
      ['a text that is too long', () => post('{"title":"12345678901"}'), 422, 'invalid_input'],
      ['a body that is too large', () => post(`{"title":"${'x'.repeat(1_100_000)}"}`), 413, 'payload_too_large'],
      [
        'a wrong media type',
        () => post('title=a', { 'content-type': 'application/x-www-form-urlencoded' }),
        415,
        'unsupported_media_type',
      ],
      [
        'a charset that is not UTF-8',
        () => post('{}', { 'content-type': 'application/json; charset=ebcdic' }),
        415,
        'unsupported_media_type',
      ],
      ['a bad uuid', () => call('/api/v1/things/7'), 422, 'invalid_input'],
      ['a path that cannot be decoded', () => call('/api/v1/things/%ff'), 400, 'bad_request'],
      ['an unknown query parameter', () => call(`/api/v1/things/${userId}?x=1`), 422, 'invalid_input'],
      ['a repeated query parameter', () => call(`/api/v1/things/${userId}?limit=1&limit=2`), 422, 'invalid_input'],
      ['a limit out of range', () => call(`/api/v1/things/${userId}?limit=0`), 422, 'invalid_input'],
      ['an unknown path', () => call('/api/v1/nothing'), 404, 'not_found'],
      ['a method that is not supported', () => call('/api/v1/things', { method: 'DELETE' }), 405, 'method_not_allowed'],
      [
        'an unusable Idempotency-Key',
        () => post('{"title":"a"}', { 'content-type': 'application/json', 'idempotency-key': ' ' }),
        400,
        'bad_idempotency_key',
      ],
    ];
    for (const [what, request, status, code] of cases) {
      it(`answers ${what} with ${status} ${code}`, async () => {
        const answer = await request();
        expect([answer.status, answer.body.code]).to.deep.equal([status, code]);
        expect(answer.headers.get('content-type')).to.match(/^application\/problem\+json/);
        expect(schemas.problem.parse(answer.body).request_id).to.equal(answer.headers.get('x-request-id'));
      });
    }

    it('names every field at fault', async () => {
      const { body } = await post('{"title":1,"labels":["a",2],"x":1}');
      expect(body.errors.map((error: { field: string }) => error.field)).to.have.members(['title', 'labels.1', 'x']);
    });

    it('answers what is not HTTP with a problem and closes', async () => {
      const socket = connect(Number(new URL(server.url()).port), '127.0.0.1');
      socket.write('nonsense\r\n\r\n');
      expect(await text(socket)).to.match(/^HTTP\/1\.1 400 .*"code":"bad_request"/s);
    });

    it('answers headers that are too large with 431', async () => {
      const answer = await call('/api/v1/things/first', { headers: { 'x-large': 'x'.repeat(20_000) } });
      expect([answer.status, answer.body.code]).to.deep.equal([431, 'headers_too_large']);
    });
  });

  describe('with access tokens', () => {
    const path = `/api/v1/things/${userId}`;
    const cases: [string, () => Promise<string | null>, string, number, string][] = [
      ['no token', async () => null, path, 401, 'unauthenticated'],
      ['nonsense', async () => 'nonsense', path, 401, 'invalid_token'],
      ['a huge token', async () => `${'a'.repeat(5000)}.b.c`, path, 401, 'invalid_token'],
      ['an expired token', async () => await sign({ exp: '-1m' }), path, 401, 'token_expired'],
      [
        'a token for another audience',
        async () => await sign({ aud: 'urn:taskwire:other' }),
        path,
        401,
        'invalid_token',
      ],
      ['a token of another issuer', async () => await sign({ iss: 'https://evil.test' }), path, 401, 'invalid_token'],
      ['a token of another type', async () => await sign({ typ: 'JWT' }), path, 401, 'invalid_token'],
      ['a token signed by another key', async () => await sign({}, other.privateKey), path, 401, 'invalid_token'],
      ['an unknown key id', async () => await sign({}, keys.privateKey, '../../etc'), path, 401, 'invalid_token'],
      [
        'alg none',
        async () => `${btoa('{"alg":"none","typ":"at+jwt","kid":"k1"}')}.${token.split('.')[1]}.x`.replaceAll('=', ''),
        path,
        401,
        'invalid_token',
      ],
      ['an unknown role', async () => await sign({ role: 'root' }), path, 401, 'invalid_token'],
      ['a user whose access has ended', async () => await sign({ sub: revokedId }), path, 401, 'access_revoked'],
      ['a role that is not allowed', async () => token, '/api/v1/things/first', 403, 'forbidden'],
      [
        'a service on a path for users',
        async () => await sign({ sub: 'tasks', client_id: 'tasks', scope: 'tasks:read' }),
        path,
        403,
        'forbidden',
      ],
      ['a user on a path for services', async () => token, `/things/${userId}`, 403, 'insufficient_scope'],
      [
        'a service without the scope',
        async () => await sign({ sub: 'tasks', client_id: 'tasks', scope: 'other:read' }),
        `/things/${userId}`,
        403,
        'insufficient_scope',
      ],
    ];
    for (const [what, make, where, status, code] of cases) {
      it(`answers ${what} with ${status} ${code}`, async () => {
        const answer = await call(where, { token: await make() });
        expect([answer.status, answer.body.code]).to.deep.equal([status, code]);
        if (status === 401) expect(answer.headers.get('www-authenticate')).to.match(/^Bearer/);
      });
    }

    it('lets a service with the scope in', async () => {
      const service = await sign({ sub: 'tasks', client_id: 'tasks', scope: 'a tasks:read' });
      expect((await call(`/things/${userId}`, { token: service })).body.id).to.equal('tasks');
    });

    it('knows a user where that is optional, lets nobody in as somebody else, and refuses a token that is not valid', async () => {
      const ask = async (given: string | null) => await call('/api/v1/known', { method: 'POST', token: given });
      expect((await ask(null)).body).to.include({ id: '-' });
      expect((await ask(token)).body).to.include({ id: userId });
      expect((await ask(await sign({ sub: revokedId }))).body).to.include({ code: 'access_revoked' });
      expect((await ask('not.a.token')).body).to.include({ code: 'invalid_token' });
      const service = await sign({ sub: 'tasks', client_id: 'tasks', scope: 'things:read' });
      expect((await ask(service)).body).to.include({ code: 'forbidden' });
    });

    it('takes a path with literal segments before one with parameters', async () => {
      expect((await call('/api/v1/things/first', { token: await sign({ role: 'admin' }) })).body.title).to.equal(
        'first',
      );
    });
  });

  describe('with an operation that needs a recent log-in', () => {
    const path = `/api/v1/things/${userId}`;
    const drop = async (claims: Claims, init: RequestInit = {}) =>
      await call(path, { method: 'DELETE', token: await sign(claims), ...init });
    const secondsAgo = (seconds: number) => Math.floor(Date.now() / 1000) - seconds;

    const refused: [string, () => Claims][] = [
      ['older than five minutes', () => ({ auth_time: secondsAgo(302) })],
      ['that the token does not tell', () => ({})],
      ['of a time to come', () => ({ auth_time: secondsAgo(-60) })],
      ['so far in the future that it is no time', () => ({ auth_time: 1e300 })],
    ];
    for (const [what, claims] of refused) {
      it(`refuses a log-in ${what}, and says what to do`, async () => {
        const { status, body, headers } = await drop(claims());
        expect([status, body.code]).to.deep.equal([403, 'reauthentication_required']);
        expect(body.detail).to.include('/api/v1/auth/reauthenticate');
        const challenge = headers.get('www-authenticate');
        expect(challenge).to.match(/^Bearer error="insufficient_user_authentication".*, max_age="300"$/);
      });
    }

    it('tells another application how to get a fresh log-in', async () => {
      const claims = { client_id: 'portal', scope: 'tasks:write', auth_time: secondsAgo(3_600) };
      const { status, body } = await drop(claims);
      expect([status, body.code]).to.deep.equal([403, 'reauthentication_required']);
      expect(body.detail).to.include('prompt=login').and.not.to.include('reauthenticate');
    });

    it('carries it out within five minutes, also when the clock of Auth is a little ahead', async () => {
      for (const seconds of [0, 290, -3]) {
        const claims = { auth_time: secondsAgo(seconds) };
        expect((await drop(claims)).status, `${seconds} s`).to.equal(200);
      }
    });
  });

  describe('with a body that may be left out', () => {
    const path = `/api/v1/things/${userId}`;
    const drop = async (init: RequestInit = {}) =>
      await call(path, { method: 'DELETE', token: await sign({ auth_time: Math.floor(Date.now() / 1000) }), ...init });
    const json = { 'content-type': 'application/json' };

    it('takes none, and reads one', async () => {
      expect((await drop()).body).to.deep.equal({ body: null });
      expect((await drop({ body: '{"reason":"old"}', headers: json })).body).to.deep.equal({ body: { reason: 'old' } });
    });

    it('refuses one that breaks the contract', async () => {
      const answers = [
        await drop({ body: '{"reason":1}', headers: json }),
        await drop({ body: '{"other":1}', headers: json }),
        await drop({ body: '{', headers: json }),
        await drop({ body: 'reason=old', headers: { 'content-type': 'text/plain' } }),
      ];
      expect(answers.map(({ body }) => body.code)).to.deep.equal([
        'invalid_input',
        'invalid_input',
        'malformed_json',
        'unsupported_media_type',
      ]);
    });
  });

  it('shows nothing of the inside when it fails', async () => {
    const { status, body } = await call('/api/v1/broken');
    expect(status).to.equal(500);
    expect(JSON.stringify(body)).not.to.contain('inside');
  });

  it('names HEAD among the methods of a resource that can be read', async () => {
    const refused = await call(`/api/v1/things/${userId}`, { method: 'POST' });
    expect([refused.status, refused.headers.get('allow')]).to.deep.equal([405, 'GET, HEAD, DELETE']);
    expect((await call('/api/v1/things', { method: 'DELETE' })).headers.get('allow')).to.equal('POST');
    expect((await call('/api/v1/limited', { method: 'HEAD' })).status).to.equal(429);
  });

  it('sends the headers that belong to a problem', async () => {
    expect((await call('/api/v1/limited')).headers.get('retry-after')).to.equal('3');
  });

  it('takes sane request ids from the proxy, ours and that of its caller, and replaces any other', async () => {
    const given = { 'x-request-id': 'abc-1', 'x-client-request-id': 'a:b.c_d-1' };
    const answer = await call('/api/v1/limited', { headers: given });
    expect([answer.body.request_id, answer.headers.get('x-request-id')]).to.deep.equal(['abc-1', 'abc-1']);
    for (const id of ['a b<', '-', 'x'.repeat(65), '']) {
      const { body } = await call('/api/v1/limited', { headers: { 'x-request-id': id, 'x-client-request-id': id } });
      expect(body.request_id).to.match(/^[0-9a-f-]{36}$/);
    }
  });

  it('says in /ready what is missing, without secrets', async () => {
    const { status, body } = await call('/ready');
    expect([status, body.checks.database.ok, body.checks.broker.ok]).to.deep.equal([503, true, false]);
    expect(JSON.stringify(body)).not.to.contain('hunter2');
  });

  it('measures requests by the path of the contract', async () => {
    await call(`/api/v1/things/${userId}`);
    const shown = await metrics();
    expect(shown).to.match(/^http_request_duration_seconds_count\{.*route="\/api\/v1\/things\/\{id\}",status="200"/m);
    expect(shown).not.to.contain(userId);
  });
});
