import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { z } from 'zod';
import { bodyLimitOf, defineRoute, schemas } from '@taskwire/contracts';
import { Problem } from '@taskwire/errors';
import { createTelemetry } from '@taskwire/telemetry';
import { response, bind, createHttpServer, refuseManyParameters, type HttpServer } from '../src/index.ts';
import { parseJson } from '../src/body/json.ts';
import { parseInput } from '../src/input.ts';

const common = {
  method: 'post',
  summary: '',
  tag: '',
  access: { kind: 'anyone' },
  body: z.looseObject({}),
  responses: { 200: z.object({}) },
} as const;
const { body: _, ...bare } = common;
const withoutBody = defineRoute({ ...bare, path: '/api/v1/bare', operationId: 'bare' });
const routes = {
  login: defineRoute({ ...common, path: '/api/v1/auth/login', operationId: 'login' }),
  usual: defineRoute({ ...common, path: '/api/v1/things', operationId: 'usual' }),
  large: defineRoute({ ...common, path: '/api/v1/imports', operationId: 'large', maxBodyBytes: 200_000 }),
};

describe('A request body', () => {
  let server: HttpServer;
  before(async () => {
    server = createHttpServer({
      telemetry: createTelemetry({ service: 'test', stream: new PassThrough().resume() }),
      host: '127.0.0.1',
      port: 0,
      trustedProxies: ['loopback'],
      readiness: {},
      requestTimeoutMs: 300,
      authenticator: { authenticate: () => Promise.reject(new Error('no route needs a token')) },
      routes: [...Object.values(routes), withoutBody].map((route) => bind(route, async () => response(200, {}))),
      rawRoutes: [{ path: '/oidc/token', handle: async (_request, response) => void response.end('{}') }],
    });
    await server.start();
  });
  after(() => server.stop());

  async function post(path: string, body: string | Buffer, headers: Record<string, string> = {}) {
    const response = await fetch(`${server.url()}${path}`, {
      method: 'POST',
      body: typeof body === 'string' ? body : new Uint8Array(body),
      headers: { 'content-type': 'application/json', ...headers },
    });
    return { status: response.status, body: (await response.json()) as { code?: string; detail?: string } };
  }

  const encoded: [string, Buffer][] = [
    ['Latin-1', Buffer.from('{"title":"Caf\xe9"}', 'latin1')],
    ['a truncated character', Buffer.concat([Buffer.from('{"title":"'), Buffer.from([0xe2, 0x82]), Buffer.from('"}')])],
    ['an overlong form', Buffer.concat([Buffer.from('{"title":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')])],
    [
      'an encoded surrogate',
      Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]),
    ],
    ['UTF-16', Buffer.from('{"title":"Café"}', 'utf16le')],
  ];
  for (const [what, body] of encoded) {
    it(`is rejected, instead of stored damaged, if it is not UTF-8: ${what}`, async () => {
      const answered = await post(routes.usual.path, body);
      expect(answered).to.have.property('status', 400);
      expect(answered.body).to.include({ code: 'malformed_json' });
      expect(answered.body.detail).to.match(/not UTF-8|cannot be parsed/);
    });
  }

  it('may contain any UTF-8 character, with or without charset=utf8', async () => {
    const body = JSON.stringify({ title: 'Café 😀 \u0000' });
    expect((await post(routes.usual.path, body)).status).to.equal(200);
    const headers = { 'content-type': 'application/json; charset=utf8' };
    expect((await post(routes.usual.path, body, headers)).status).to.equal(200);
  });

  for (const text of ['{"a":{"title":"\\ud800"}}', '{"a":["x","\\uDC00\\uD800"]}', '{"\\udfff":1}']) {
    it(`is rejected if it contains an unpaired surrogate: ${text}`, async () => {
      const { status, body } = await post(routes.usual.path, text);
      expect([status, body.code]).to.deep.equal([422, 'invalid_input']);
      expect(JSON.stringify(body))
        .to.contain('unpaired_surrogate')
        .and.satisfy((said: string) => said.isWellFormed());
    });
  }

  it('may contain an escaped surrogate pair', async () => {
    expect((await post(routes.usual.path, '{"title":"\\ud83d\\ude00"}')).status).to.equal(200);
  });

  const open = (head: string): Socket => {
    const socket = connect(Number(new URL(server.url()).port), '127.0.0.1');
    socket.write(`POST ${head}\r\nHost: test\r\nContent-Type: application/json\r\n`);
    return socket;
  };

  /** A JSON object of exactly this many bytes. */
  const ofSize = (bytes: number) => `{"a":"${'x'.repeat(bytes - 8)}"}`;

  for (const route of Object.values(routes)) {
    const limit = bodyLimitOf(route);
    it(`may have at most ${limit} bytes on ${route.path}, as the rejection says`, async () => {
      expect((await post(route.path, ofSize(limit))).status).to.equal(200);
      const refused = await post(route.path, ofSize(limit + 1));
      expect(refused).to.deep.include({ status: 413 });
      expect(refused.body).to.include({
        code: 'payload_too_large',
        detail: `The body must have at most ${limit} bytes.`,
      });
    });
  }

  it('has the limit of its path even if no contract describes the path', async () => {
    expect((await post('/oidc/token', 'x'.repeat(16_385))).status).to.equal(413);
    expect((await post('/oidc/token', 'x'.repeat(16_384))).status).to.equal(200);
  });

  it('may only be empty or {} where the contract has none, and so is the query', async () => {
    const answers = [
      ['', 200],
      ['{}', 200],
      ['{', 400],
      ['a=1', 400],
      ['{"x":1}', 422],
      ['[]', 422],
    ] as const;
    for (const [body, status] of answers) expect((await post('/api/v1/bare', body)).status, body).to.equal(status);
    expect((await post('/api/v1/bare?x=1', '')).status).to.equal(422);
  });

  it('is rejected before parsing if it is a form with more than 100 parameters, and so is such a query', async () => {
    const wide = (count: number) => Array(count).fill('a=1').join('&');
    for (const path of ['/oidc/token', '/api/v1/things', '/nowhere']) {
      const { status, body } = await post(`${path}?${wide(101)}`, '{}');
      expect([status, body.code], path).to.deep.equal([400, 'bad_request']);
    }
    expect((await post(`/oidc/token?${wide(100)}`, '{}')).status).to.equal(200);
    expect((await post('/oidc/token?a=&&&', '{}')).status).to.equal(200);
    expect(() => refuseManyParameters('&'.repeat(16_384))).to.throw(Problem, /100 parameters/);
  });

  it('is rejected before it has arrived if it is too large, by its declared length or its chunks', async () => {
    const announced = open('/api/v1/auth/login HTTP/1.1');
    announced.write('Content-Length: 16385\r\n\r\n{');
    const chunked = open('/api/v1/auth/login HTTP/1.1');
    chunked.write(`Transfer-Encoding: chunked\r\n\r\n4002\r\n${' '.repeat(0x4002)}\r\n`);
    for (const socket of [announced, chunked]) {
      expect(String((await once(socket, 'data'))[0])).to.match(/^HTTP\/1\.1 413 [^]*"code":"payload_too_large"/);
      socket.destroy();
    }
  });

  it('is rejected if it is compressed, because its size is unknown before decompression', async () => {
    for (const encoding of ['gzip', 'br', 'deflate', 'zstd', 'zip', 'identity, gzip']) {
      const refused = await post('/api/v1/things', gzipSync('{}'), { 'content-encoding': encoding });
      expect(refused.body.code, encoding).to.equal('unsupported_media_type');
    }
    expect((await post('/api/v1/things', '{}', { 'content-encoding': 'identity' })).status).to.equal(200);
  });

  it('is rejected with 408 if it trickles in past its time limit, and the connection is closed', async () => {
    const socket = open('/api/v1/auth/login HTTP/1.1');
    socket.write('Content-Length: 10000\r\n\r\n{');
    const trickle = setInterval(() => socket.write(' '), 20);
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', () => undefined);
    await once(socket, 'close');
    clearInterval(trickle);
    expect(text)
      .to.match(/^HTTP\/1\.1 408 /)
      .and.match(/\r\nconnection: close\r\n/i);
    const problem = schemas.problem.parse(JSON.parse(text.split('\r\n\r\n')[1] ?? ''));
    const id = /\r\nx-request-id: (\S+)\r\n/i.exec(text)?.[1];
    expect(problem).to.include({ code: 'request_timeout', status: 408, request_id: id });
  });
});

describe('The JSON of a body', () => {
  const refusal = (text: string): Problem => {
    try {
      parseJson(text);
    } catch (error) {
      if (error instanceof Problem) return error;
      throw error;
    }
    return expect.fail('it was parsed');
  };

  it('is parsed up to 16 levels and 1,000 values', () => {
    const sixteen = `${'{"a":'.repeat(8)}${'['.repeat(8)}1${']'.repeat(8)}${'}'.repeat(8)}`;
    const thousand = `[${Array(999).fill('1').join(',')}]`;
    const text = '{"text":"[[[[{{{{,,,,\\"[\\\\","more":{"a":[true,null,-1.5e3]}}';
    for (const good of [sixteen, thousand, text, '7', '"a"', ' null ', '{}']) {
      expect(parseJson(good)).to.deep.equal(JSON.parse(good));
    }
  });

  const deep: [string, string][] = [
    ['arrays', `${'['.repeat(17)}${']'.repeat(17)}`],
    ['arrays nested as deeply as the size limit allows', `${'['.repeat(8192)}${']'.repeat(8192)}`],
    ['objects', `${'{"a":'.repeat(17)}1${'}'.repeat(17)}`],
    ['arrays after a string of brackets', `["]]]]",${'['.repeat(16)}${']'.repeat(16)}]`],
  ];
  for (const [what, text] of deep) {
    it(`is rejected if it is nested deeper: ${what}`, () => {
      expect(refusal(text)).to.have.property('code', 'invalid_input');
      expect(refusal(text).errors).to.have.nested.property('[0].code', 'too_deep');
    });
  }

  const wide: [string, string][] = [
    ['numbers', `[${Array(1000).fill('1').join(',')}]`],
    ['distinct keys', `{${Array.from({ length: 1001 }, (_, index) => `"k${index}":1`).join(',')}}`],
    ['a repeated key', `{${Array(1001).fill('"a":1').join(',')}}`],
    ['arrays in arrays', `[${Array(600).fill('[1]').join(',')}]`],
  ];
  for (const [what, text] of wide) {
    it(`is rejected if it has more values: ${what}`, () => {
      expect(refusal(text)).to.have.property('code', 'invalid_input');
      expect(refusal(text).errors).to.have.nested.property('[0].code', 'too_many_values');
    });
  }

  it('is reported as malformed if it is invalid, however deep or wide it is', () => {
    for (const text of ['', '{', ']', '[1,]', '["a]', '"\\', '['.repeat(16_384), `${'1,'.repeat(2000)}[`, '}{']) {
      expect(refusal(text).code, text.slice(0, 20)).to.equal('malformed_json');
    }
  });

  it('is rejected with at most 50 faults', () => {
    const schema = z.strictObject({ labels: z.array(z.string()) });
    const manyFaults = { labels: Array(900).fill(1) };
    const manyFields = Object.fromEntries(Array.from({ length: 900 }, (_, index) => [`k${index}`, index]));
    for (const input of [manyFaults, manyFields]) {
      expect(() => parseInput(schema, input))
        .to.throw(Problem)
        .with.property('errors')
        .that.has.lengthOf(50);
    }
  });
});
