import { expect } from 'chai';
import { startGateway, type Answer, type TestGateway } from './gateway-harness.ts';

const origin = 'https://app.example.com';

describe('The gateway for pages from other origins', () => {
  let gateway: TestGateway;
  before(
    async () =>
      (gateway = await startGateway({ corsOrigins: ['http://localhost:5173', origin, 'https://last.example'] })),
  );
  after(() => gateway.stop());

  const preflight = (from: string) =>
    gateway.send({
      method: 'OPTIONS',
      path: '/api/v1/tasks/018f',
      headers: { Origin: from, 'Access-Control-Request-Method': 'PATCH', 'Access-Control-Request-Headers': 'if-match' },
    });

  for (const from of ['http://localhost:5173', origin, 'https://last.example']) {
    it(`allows preflights and credentials from ${from}`, async () => {
      const answer = await preflight(from);
      expect(answer).to.include({ status: 204, text: '' });
      expect(answer.headers).to.include({
        'access-control-allow-origin': from,
        'access-control-allow-credentials': 'true',
        'access-control-max-age': '600',
      });
      expect(answer.headers['access-control-allow-methods']).to.include('PATCH');
    });
  }

  it('accepts every header that the API reads, and those that tracing and HTTP libraries add', async () => {
    const accepted = (await preflight(origin)).headers['access-control-allow-headers']?.toLowerCase().split(', ');
    expect(accepted).to.include.members([
      ...['authorization', 'content-type', 'idempotency-key', 'if-match', 'if-none-match', 'last-event-id'],
      ...['x-request-id', 'x-timeout-ms', 'x-requested-with', 'cache-control'],
      ...['traceparent', 'tracestate', 'baggage', 'sentry-trace'],
    ]);
  });

  const strangers = [
    'https://evil.example',
    'https://app.example.co',
    'https://appXexample.com',
    `${origin}.evil.example`,
    `${origin},https://last.example`,
    'https://app.example.com:8443',
    'http://app.example.com',
    'null',
    'https://',
  ];
  for (const from of strangers) {
    it(`gives ${from} no permission`, async () => {
      for (const answer of [
        await preflight(from),
        await gateway.send({ path: '/api/v1/tasks', headers: { Origin: from } }),
      ]) {
        expect(corsHeaders(answer)).to.deep.equal([]);
      }
    });
  }

  it('lets scripts read the response headers of the API', async () => {
    const answer = await gateway.send({ path: '/api/v1/tasks', headers: { Origin: origin } });
    expect(answer.headers).to.include({
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers':
        'ETag, Location, Retry-After, X-Request-Id, Idempotency-Replayed, WWW-Authenticate, Deprecation, Sunset',
      vary: 'Origin',
    });
  });

  it('adds its Vary to that of the service', async () => {
    const varying = await startGateway({
      services: { tasks: (_, response) => response.setHeader('Vary', 'Authorization').end() },
    });
    const answer = await varying.send({ path: '/api/v1/tasks' });
    await varying.stop();
    expect(answer.headers.vary?.split(', ')).to.have.members(['Authorization', 'Origin']);
  });

  it('lets scripts read its own problems too', async () => {
    const answer = await gateway.send({ path: '/nowhere', headers: { Origin: origin } });
    expect(answer.status).to.equal(404);
    expect(answer.headers).to.include({ 'access-control-allow-origin': origin });
  });

  it('sends its CORS headers once when a service sends them, too', async () => {
    const both = await startGateway({
      corsOrigins: [origin],
      services: { tasks: (_, response) => response.setHeader('Access-Control-Allow-Origin', '*').end() },
    });
    const answer = await both.send({ path: '/api/v1/tasks', headers: { Origin: origin } });
    await both.stop();
    expect(answer.headers['access-control-allow-origin']).to.equal(origin);
  });

  it('permits no origin when none is configured', async () => {
    const closed = await startGateway();
    const answers = [await closed.send({ path: '/api/v1/tasks', headers: { Origin: origin } })];
    answers.push(await closed.send({ path: '/api/v1/tasks', headers: { Origin: '' } }));
    await closed.stop();
    for (const answer of answers) expect(corsHeaders(answer)).to.deep.equal([]);
  });

  it('passes an OPTIONS request that is not a preflight to the service', async () => {
    expect(await gateway.seen({ method: 'OPTIONS', path: '/api/v1/tasks' })).to.include({ method: 'OPTIONS' });
  });
});

describe('The gateway for pages from other origins, at the provider', () => {
  let gateway: TestGateway;
  afterEach(() => gateway.stop());

  const allowing = (allowed: string) =>
    startGateway({
      corsOrigins: [origin],
      services: {
        auth: (_, response) =>
          response.writeHead(200, { 'Access-Control-Allow-Origin': allowed, Vary: 'Origin' }).end('{}'),
      },
    });

  it("passes on Auth's CORS headers, once and without cookies, and lets scripts read the same headers", async () => {
    gateway = await allowing('https://client.example');
    for (const path of ['/oidc/token', '/.well-known/openid-configuration/oidc']) {
      const answer = await gateway.send({ path, headers: { Origin: 'https://client.example' } });
      expect(answer.headers).to.include({ 'access-control-allow-origin': 'https://client.example', vary: 'Origin' });
      expect(answer.headers['access-control-expose-headers']).to.include('Retry-After');
      expect(answer.headers).not.to.have.property('access-control-allow-credentials');
    }
  });

  it('gives no permission of its own where Auth gives none, whatever origins are configured', async () => {
    gateway = await startGateway({ corsOrigins: [origin] });
    const answer = await gateway.send({ path: '/oidc/authorize', headers: { Origin: origin } });
    expect(corsHeaders(answer)).to.deep.equal([]);
  });

  it('passes a preflight to Auth, without counting it as an attempt at a secret', async () => {
    gateway = await startGateway({ loginsPerMinute: 1, loginBurst: 1 });
    const headers = { Origin: origin, 'Access-Control-Request-Method': 'POST' };
    for (let count = 0; count < 3; count++) {
      const seen = await gateway.seen({ method: 'OPTIONS', path: '/oidc/token', headers });
      expect(seen).to.include({ service: 'auth', method: 'OPTIONS' });
    }
    expect(await gateway.seen({ method: 'POST', path: '/oidc/token' })).to.include({ method: 'POST' });
  });

  it('lets scripts of any page read its own problems, which contain no secrets', async () => {
    gateway = await startGateway({ corsOrigins: [origin], loginsPerMinute: 1, loginBurst: 1 });
    const send = () => gateway.send({ method: 'POST', path: '/oidc/token', headers: { Origin: 'https://x.example' } });
    const [, , refused] = [await send(), await send(), await send()];
    expect(refused.status).to.equal(429);
    expect(refused.headers).to.include({ 'access-control-allow-origin': '*', 'retry-after': '60' });
    expect(refused.headers['access-control-expose-headers']).to.include('Retry-After');
    expect(refused.headers).not.to.have.property('access-control-allow-credentials');
  });
});

function corsHeaders(answer: Answer): string[] {
  return Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'));
}
