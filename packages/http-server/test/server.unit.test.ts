import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { schemas } from '@taskwire/contracts';
import { startThingsServer, userId, type ThingsServer } from './support/things-server.ts';

describe('the HTTP server', () => {
  let server: ThingsServer;
  before(async () => (server = await startThingsServer()));
  after(async () => await server.stop());

  const post = async (body: string, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
    await server.call('/api/v1/things', { method: 'POST', body, headers });

  describe('with invalid input', () => {
    const cases: [string, () => ReturnType<typeof server.call>, number, string][] = [
      ['malformed JSON', () => post('{"title":'), 400, 'malformed_json'],
      ['no body', () => server.call('/api/v1/things', { method: 'POST' }), 400, 'malformed_json'],
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
      ['a bad uuid', () => server.call('/api/v1/things/7'), 422, 'invalid_input'],
      ['a path that cannot be decoded', () => server.call('/api/v1/things/%ff'), 400, 'bad_request'],
      ['an unknown query parameter', () => server.call(`/api/v1/things/${userId}?x=1`), 422, 'invalid_input'],
      [
        'a repeated query parameter',
        () => server.call(`/api/v1/things/${userId}?limit=1&limit=2`),
        422,
        'invalid_input',
      ],
      ['a limit out of range', () => server.call(`/api/v1/things/${userId}?limit=0`), 422, 'invalid_input'],
      ['an unknown path', () => server.call('/api/v1/nothing'), 404, 'not_found'],
      [
        'a method that is not supported',
        () => server.call('/api/v1/things', { method: 'DELETE' }),
        405,
        'method_not_allowed',
      ],
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

    it('names every invalid field', async () => {
      const { body } = await post('{"title":1,"labels":["a",2],"x":1}');
      expect(body.errors.map((error: { field: string }) => error.field)).to.have.members(['title', 'labels.1', 'x']);
    });

    it('rejects bytes that are not HTTP with a problem, and closes the connection', async () => {
      const socket = connect(Number(new URL(server.url()).port), '127.0.0.1');
      socket.write('nonsense\r\n\r\n');
      expect(await text(socket)).to.match(/^HTTP\/1\.1 400 .*"code":"bad_request"/s);
    });

    it('rejects headers that are too large with 431', async () => {
      const answer = await server.call('/api/v1/things/first', { headers: { 'x-large': 'x'.repeat(20_000) } });
      expect([answer.status, answer.body.code]).to.deep.equal([431, 'headers_too_large']);
    });
  });

  describe('with an optional body', () => {
    const path = `/api/v1/things/${userId}`;
    const drop = async (init: RequestInit = {}) =>
      await server.call(path, {
        method: 'DELETE',
        token: await server.sign({ auth_time: Math.floor(Date.now() / 1000) }),
        ...init,
      });
    const json = { 'content-type': 'application/json' };

    it('accepts a request with or without a body', async () => {
      expect((await drop()).body).to.deep.equal({ body: null });
      expect((await drop({ body: '{"reason":"old"}', headers: json })).body).to.deep.equal({ body: { reason: 'old' } });
    });

    it('rejects a body that breaks the contract', async () => {
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

  it('exposes no internal detail of an error', async () => {
    const { status, body } = await server.call('/api/v1/broken');
    expect(status).to.equal(500);
    expect(JSON.stringify(body)).not.to.contain('inside');
  });

  it('lists HEAD among the methods of a readable resource', async () => {
    const refused = await server.call(`/api/v1/things/${userId}`, { method: 'POST' });
    expect([refused.status, refused.headers.get('allow')]).to.deep.equal([405, 'GET, HEAD, DELETE']);
    expect((await server.call('/api/v1/things', { method: 'DELETE' })).headers.get('allow')).to.equal('POST');
    expect((await server.call('/api/v1/limited', { method: 'HEAD' })).status).to.equal(429);
  });

  it('sends the headers of a problem', async () => {
    expect((await server.call('/api/v1/limited')).headers.get('retry-after')).to.equal('3');
  });

  it('accepts well-formed request ids from the proxy, and replaces any other', async () => {
    const given = { 'x-request-id': 'abc-1', 'x-client-request-id': 'a:b.c_d-1' };
    const answer = await server.call('/api/v1/limited', { headers: given });
    expect([answer.body.request_id, answer.headers.get('x-request-id')]).to.deep.equal(['abc-1', 'abc-1']);
    for (const id of ['a b<', '-', 'x'.repeat(65), '']) {
      const { body } = await server.call('/api/v1/limited', {
        headers: { 'x-request-id': id, 'x-client-request-id': id },
      });
      expect(body.request_id).to.match(/^[0-9a-f-]{36}$/);
    }
  });

  it('reports failed checks in /ready without secrets', async () => {
    const { status, body } = await server.call('/ready');
    expect([status, body.checks.database.ok, body.checks.broker.ok]).to.deep.equal([503, true, false]);
    expect(JSON.stringify(body)).not.to.contain('hunter2');
  });

  it('labels request metrics with the path of the contract', async () => {
    await server.call(`/api/v1/things/${userId}`);
    const shown = await (await fetch(`${server.url()}/metrics`)).text();
    expect(shown).to.match(/^http_request_duration_seconds_count\{.*route="\/api\/v1\/things\/\{id\}",status="200"/m);
    expect(shown).not.to.contain(userId);
  });
});
