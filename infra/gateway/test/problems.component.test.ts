import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { problemTypes, type ProblemCode } from '@taskwire/errors';
import { freePorts } from '@taskwire/process-supervisor';
import { expect } from 'chai';
import { startGateway, type Answer, type TestGateway } from './gateway-harness.ts';

describe('Problems that the gateway itself reports', () => {
  let gateway: TestGateway;
  afterEach(() => gateway.stop());

  function expectProblem(answer: Answer, code: ProblemCode) {
    const { status, title } = problemTypes[code];
    expect(answer.status).to.equal(status);
    expect(answer.headers).to.include({
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      server: 'nginx',
    });
    const { detail, ...rest } = JSON.parse(answer.text) as Record<string, unknown>;
    const request_id = answer.headers['x-request-id'];
    expect(rest).to.deep.equal({ type: `/docs/problems#${code}`, title, status, code, request_id });
    expect(detail)
      .to.be.a('string')
      .and.match(/^[A-Z].*\.$/);
  }

  it('are 502 when nothing listens at the address of a service, for safe and unsafe methods', async () => {
    const [port] = await freePorts(1);
    const closed = `127.0.0.1:${port}`;
    gateway = await startGateway({ upstreams: { auth: closed, tasks: closed, notifications: closed } });
    for (const method of ['GET', 'POST']) {
      expectProblem(await gateway.send({ method, path: '/api/v1/tasks' }), 'bad_gateway');
    }
  });

  it('are 502 when a service closes the connection of a POST, which is not retried', async () => {
    const bodies: string[] = [];
    gateway = await startGateway({
      services: {
        tasks: (request) => {
          bodies.push(request.method ?? '');
          request.socket.destroy();
        },
      },
    });
    expectProblem(await gateway.send({ method: 'POST', path: '/api/v1/tasks', body: '{}' }), 'bad_gateway');
    expect(bodies).to.deep.equal(['POST']);
  });

  it('are 504 when a service does not respond in time', async () => {
    gateway = await startGateway({ readTimeoutSeconds: 1, services: { tasks: () => undefined } });
    expectProblem(await gateway.send({ path: '/api/v1/tasks' }), 'timeout');
  });

  it('do not replace the problems of a service', async () => {
    gateway = await startGateway({
      services: {
        tasks: (_, response) =>
          response.writeHead(503, { 'Content-Type': 'application/problem+json' }).end('{"code":"mine"}'),
      },
    });
    expect(await gateway.send({ path: '/api/v1/tasks' })).to.include({ status: 503, text: '{"code":"mine"}' });
  });

  it('are 414 when the URL is too long', async () => {
    gateway = await startGateway();
    expectProblem(await gateway.send({ path: `/api/v1/tasks?q=${'a'.repeat(17_000)}` }), 'uri_too_long');
  });

  it('are 431 when a header is too large', async () => {
    gateway = await startGateway();
    expectProblem(
      await gateway.send({ path: '/api/v1/tasks', headers: { 'X-Large': 'a'.repeat(17_000) } }),
      'headers_too_large',
    );
  });

  it('are 405 for a write to the docs', async () => {
    gateway = await startGateway();
    expectProblem(await gateway.send({ method: 'DELETE', path: '/docs/index.html' }), 'method_not_allowed');
  });

  for (const line of [
    'GET /api/v1/tasks HTTP/1.1\r\n',
    'NONSENSE\r\n',
    'GET /api/v1/tasks HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n',
  ]) {
    it(`are 400 for a request line that is not HTTP: ${JSON.stringify(line)}`, async () => {
      gateway = await startGateway();
      const answer = await sendRaw(gateway.port, `${line}\r\n`);
      expect(answer)
        .to.include('application/problem+json')
        .and.include('"code":"bad_request"')
        .and.include('"status":400');
    });
  }
});

async function sendRaw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  return await text(socket);
}
