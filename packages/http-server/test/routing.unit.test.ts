import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { createRouter } from '../src/router.ts';
import { startRoutingServer, type RoutingServer } from './support/routing-server.ts';

describe('Routes of the HTTP server', () => {
  let server: RoutingServer;
  before(async () => (server = await startRoutingServer()));
  after(async () => await server.stop());

  const shown = async (path: string) => {
    const { status, body, logged } = await server.call('GET', path);
    const { params, query } = status === 200 ? JSON.parse(body) : {};
    return { status, params, query, logged };
  };
  const one = '/api/v1/things/{id}';

  describe('defined by a contract', () => {
    const found: [string, string, unknown][] = [
      ['with letters of either case in a parameter', '/api/v1/things/AbC', 'AbC'],
      ['with an escaped slash in a parameter', '/api/v1/things/a%2Fb', 'a/b'],
      ['with an escaped space, but not a plus, as a space', '/api/v1/things/a%20b+c', 'a b+c'],
      ['with UTF-8 in a parameter', '/api/v1/things/%E4%BD%A0', '你'],
      ['with an escaped NUL in a parameter', '/api/v1/things/a%00b', 'a\0b'],
      ['with an escaped letter, so that the segment matches no literal', '/api/v1/things/f%69rst', 'first'],
      ['with a semicolon in a parameter', '/api/v1/things/abc;v=1', 'abc;v=1'],
      ['with dots, which do not lead to a parent path', '/api/v1/things/..', '..'],
      ['with the name of a prototype in a parameter', '/api/v1/things/__proto__', '__proto__'],
      ['with a fragment', '/api/v1/things/abc?x=1#there', 'abc'],
      ['in absolute form (RFC 9112 section 3.2.2)', 'http://elsewhere/api/v1/things/abc%20d?x=1', 'abc d'],
    ];
    for (const [how, path, id] of found) {
      it(`match a path ${how}`, async () => {
        expect(await shown(path)).to.deep.include({ status: 200, params: { id }, logged: one });
      });
    }

    it('match literal segments before parameters', async () => {
      expect((await shown('/api/v1/things/first')).logged).to.equal('/api/v1/things/first');
      expect(await shown('/api/v1/things/FIRST')).to.deep.include({ params: { id: 'FIRST' }, logged: one });
    });

    it('get the query decoded, with repeated parameters as lists', async () => {
      const { query } = await shown('/api/v1/things?a=1&a=2&b=%41+%ff&c&d=http://x/y?z=1');
      expect(query).to.deep.equal({ a: ['1', '2'], b: 'A \uFFFD', c: '', d: 'http://x/y?z=1' });
      expect((await shown('/api/v1/things?')).query).to.deep.equal({});
    });

    const missing = [
      ...['/API/v1/things/abc', '/api/v1/Things', '/api/v1/things/', '/api/v1/things/abc/'],
      ...['/api/v1/things//', '/api/v1/things/abc//', '/api/v1//things/abc', '//api/v1/things/abc'],
      ...['/api/v1/th%69ngs/abc', '/api/v1/things/../things/abc', '/api/v1/things/%ff/nothing', '/', '/api/v1'],
    ];
    for (const path of missing) {
      it(`are not found by ${path}`, async () => {
        const { status, body, logged } = await server.call('GET', path);
        expect([status, JSON.parse(body).code, logged]).to.deep.equal([404, 'not_found', 'unknown']);
      });
    }

    for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS']) {
      it(`answer ${method} with 400 when a parameter cannot be decoded, whatever the method`, async () => {
        const { status, logged } = await server.call(method, '/api/v1/things/%ff');
        expect([status, logged]).to.deep.equal([400, 'unknown']);
      });
    }

    it('answer a target that is not a URL with 400', async () => {
      const socket = connect(Number(new URL(server.url()).port), '127.0.0.1');
      socket.write('GET http://[bad/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      expect(await text(socket)).to.match(/^HTTP\/1\.1 400 .*"code":"bad_request"/s);
    });
  });

  describe('by method', () => {
    it('answer HEAD as GET, without the body', async () => {
      const { headers: expected } = await server.call('GET', '/api/v1/things/abc');
      const { status, body, headers, logged } = await server.call('HEAD', '/api/v1/things/abc');
      expect([status, body, logged, headers['etag']]).to.deep.equal([200, '', one, expected['etag']]);
    });

    for (const method of ['PUT', 'OPTIONS', 'TRACE', 'PROPFIND']) {
      it(`answer ${method} with 405 and the methods that exist`, async () => {
        const { status, headers, logged } = await server.call(method, '/api/v1/things/abc');
        expect([status, headers['allow'], logged]).to.deep.equal([405, 'GET, HEAD, PATCH, DELETE', 'unknown']);
      });
    }

    it('answer OPTIONS of an unknown path with 404', async () => {
      expect((await server.call('OPTIONS', '/api/v1/nothing')).status).to.equal(404);
      expect((await server.call('OPTIONS', '*')).status).to.equal(404);
    });
  });

  describe('with several faults', () => {
    const wide = `?${'a=1&'.repeat(120)}`;
    const json = { 'content-type': 'application/json' };
    const member = { authorization: 'ann' };
    const large = 'x'.repeat(70_000);
    type Request = [string, string, { headers?: Record<string, string>; body?: string }?];
    const cases: [string, Request, number, string][] = [
      ['too many query parameters before an unknown path', ['GET', `/nothing${wide}`], 400, 'bad_request'],
      ['a wrong method before a missing token', ['PUT', '/api/v1/things'], 405, 'method_not_allowed'],
      [
        'a missing scope before a body',
        ['POST', '/api/v1/things', { headers: member, body: '{' }],
        403,
        'insufficient_scope',
      ],
      ['a wrong role before a bad id', ['DELETE', '/api/v1/things/a%20b', { headers: member }], 403, 'forbidden'],
      [
        'a media type before a compression',
        ['POST', '/api/v1/form', { headers: { ...json, 'content-encoding': 'gzip' }, body: large }],
        415,
        'unsupported_media_type',
      ],
      [
        'a compression before a size',
        [
          'POST',
          '/api/v1/form',
          { headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-encoding': 'gzip' }, body: large },
        ],
        415,
        'unsupported_media_type',
      ],
      [
        'a size before its content',
        ['POST', '/api/v1/form', { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: large }],
        413,
        'payload_too_large',
      ],
    ];
    for (const [what, request, status, code] of cases) {
      it(`report ${what}`, async () => {
        const answer = await server.call(...request);
        expect([answer.status, JSON.parse(answer.body).code]).to.deep.equal([status, code]);
      });
    }
  });

  it('have the same security headers as other paths, and no header that names the server', async () => {
    const [own, raw, unknown] = await Promise.all(
      ['/api/v1/things/abc', '/raw/abc', '/nothing'].map(async (path) => (await server.call('GET', path)).headers),
    );
    const secure = (headers: Record<string, unknown> = {}) =>
      Object.entries(headers).filter(([name]) =>
        /^(x-(?!request-id)|content-security|cross-origin|strict|referrer|origin)/.test(name),
      );
    expect(secure(own)).to.have.length.above(10);
    expect([secure(raw), secure(unknown)]).to.deep.equal([secure(own), secure(own)]);
    expect(own).not.to.have.property('x-powered-by');
  });

  it('show the address that a trusted proxy reports', async () => {
    const address = async (list: string) =>
      JSON.parse((await server.call('GET', '/api/v1/things/abc', { headers: { 'x-forwarded-for': list } })).body).ip;
    expect(await address('1.2.3.4')).to.equal('1.2.3.4');
    expect(await address('5.6.7.8, 1.2.3.4, 127.0.0.1')).to.equal('1.2.3.4');
    expect(await address('')).to.equal('127.0.0.1');
  });

  it('leave paths of other protocols to their handlers', async () => {
    const { body, logged } = await server.call('POST', '/raw/a%20b?x=1');
    expect([JSON.parse(body), logged]).to.deep.equal([{ id: 'a b', x: '1' }, '/raw/:id']);
    for (const path of ['/RAW/a', '/raw/a/', '/Metrics', '/ready/'])
      expect((await server.call('GET', path)).status, path).to.equal(404);
  });

  it('are refused when a parameter is not a whole segment', () => {
    expect(() => createRouter([{ route: { method: 'get', path: '/things/{id}.json' } as never }])).to.throw('segment');
  });
});
