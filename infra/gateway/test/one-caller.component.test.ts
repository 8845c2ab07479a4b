import { connect, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { authRoutes } from '@taskwire/contracts';
import { response, bind, createHttpServer, type HttpServer } from '@taskwire/http-server';
import { problem } from '@taskwire/errors';
import { createTelemetry } from '@taskwire/telemetry';
import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { startGateway, type Answer, type TestGateway } from './gateway-harness.ts';

/** A connection that sends its body, or its headers, one byte at a time. */
type Slow = { socket: Socket; text: string; openedAt: number; closedAt: number | undefined };

describe('The gateway under load from one caller', function () {
  this.timeout(60_000);
  const running = 20;
  let service: HttpServer;
  let gateway: TestGateway;
  let opened: Slow[] = [];

  before(async () => {
    service = createHttpServer({
      telemetry: createTelemetry({ service: 'test', stream: new PassThrough().resume() }),
      host: '127.0.0.1',
      port: 0,
      trustedProxies: ['loopback'],
      readiness: {},
      requestTimeoutMs: 3_000,
      authenticator: { authenticate: () => Promise.reject(problem('unauthenticated')) },
      routes: [bind(authRoutes.verifyEmail, async () => response(204))],
    });
    await service.start();
    const { host } = new URL(service.url());
    gateway = await startGateway({
      upstreams: { auth: host, tasks: host, notifications: host },
      ...{ running, requestsPerSecond: 5_000, burst: 5_000, loginsPerMinute: 60_000, loginBurst: 5_000 },
      // callers are distinguished by the address that a load balancer reports
      trustedProxy: '127.0.0.1',
    });
  });
  after(async () => {
    await gateway.stop();
    await service.stop();
  });
  afterEach(async () => {
    for (const { socket } of opened) socket.destroy();
    opened = [];
    await waitFor(async () => (await verify('2001:db8::1')).status === 204, { what: 'all requests to end' });
  });

  const path: string = authRoutes.verifyEmail.path;

  const verify = (from: string): Promise<Answer> =>
    gateway.send({
      method: 'POST',
      path,
      body: '{"token":"x"}',
      headers: { 'X-Forwarded-For': from, 'Content-Type': 'application/json' },
    });

  function trickle(from: string, head: string, byte: string): Slow {
    const socket = connect(gateway.port, '127.0.0.1');
    const slow: Slow = { socket, text: '', openedAt: performance.now(), closedAt: undefined };
    opened.push(slow);
    socket.write(`${head}\r\nHost: test\r\nX-Forwarded-For: ${from}\r\nContent-Type: application/json\r\n`);
    const timer = setInterval(() => socket.writable && socket.write(byte), 100);
    socket.on('data', (chunk: Buffer) => (slow.text += chunk.toString()));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(timer);
      slow.closedAt = performance.now();
    });
    return slow;
  }

  function slowBody(from: string, to = path): Slow {
    const slow = trickle(from, `POST ${to} HTTP/1.1`, ' ');
    slow.socket.write('Content-Length: 16000\r\n\r\n{');
    return slow;
  }

  const closed = (slow: Slow) => waitFor(() => slow.closedAt !== undefined, { timeoutMs: 15_000 });
  const statusOf = ({ text }: Slow) => /^HTTP\/1\.1 (\d+)/.exec(text)?.[1];
  const openFor = ({ openedAt, closedAt = Infinity }: Slow) => closedAt - openedAt;

  const attackers: [string, (index: number) => string][] = [
    ['an IPv4 address', () => '203.0.113.7'],
    ['an IPv6 /64, each from another of its addresses', (index) => `2001:db8:0:1::${index.toString(16)}`],
  ];
  for (const [who, from] of attackers) {
    it(`serves others while 300 slow bodies come from ${who}`, async () => {
      const slow = Array.from({ length: 300 }, (_, index) => slowBody(from(index)));
      await waitFor(() => slow.filter((one) => statusOf(one) === '429').length === 300 - running);
      const refused = slow.find((one) => statusOf(one) === '429');
      expect(refused?.text)
        .to.match(/\r\nRetry-After: 1\r\n/)
        .and.match(/"code":"rate_limited"/);
      expect((await verify(from(301))).status, 'the caller itself').to.equal(429);
      for (const other of ['203.0.113.8', '2001:db8:0:2::1', '::ffff:203.0.113.9', '127.0.0.9']) {
        const began = performance.now();
        expect((await verify(other)).status, other).to.equal(204);
        expect(performance.now() - began).to.be.below(1_000);
      }
    });
  }

  describe('requests that never pause', () => {
    const answered = ['/health', '/nowhere', '/docs/', '/api/v1/tasks', '/users'];
    let endless: Slow[];
    let afterAnswer: Slow[];
    let headers: Slow;

    // all connections are opened at once, each from a different caller, because they take seconds to end
    before(() => {
      endless = Array.from({ length: running }, () => slowBody('203.0.113.10'));
      afterAnswer = answered.map((to, index) => slowBody(`203.0.113.${20 + index}`, to));
      headers = trickle('203.0.113.12', 'GET / HTTP/1.1', 'x');
      opened = [];
    });
    after(() => {
      for (const { socket } of [...endless, ...afterAnswer, headers]) socket.destroy();
    });

    it('ends a body that never pauses at the time limit of the whole request, and accepts the next request of that caller', async () => {
      await Promise.all(endless.map(closed));
      for (const one of endless) {
        expect(statusOf(one)).to.equal('408');
        expect(one.text).to.include('"code":"request_timeout"');
        // 3 s, plus up to a second until nginx notices the timeout, plus up to 3 s of lingering
        expect(openFor(one)).to.be.within(3_000, 9_000);
      }
      expect((await verify('203.0.113.10')).status).to.equal(204);
    });

    for (const [index, to] of answered.entries()) {
      it(`closes the connection of a body that trickles in after the response: ${to}`, async () => {
        const slow = afterAnswer[index]!;
        await closed(slow);
        expect(slow.text).to.match(/^HTTP\/1\.1 [2-4]/);
        expect(openFor(slow)).to.be.below(6_000);
      });
    }

    it('closes the connection of headers that trickle in after 5 s', async () => {
      await closed(headers);
      expect(openFor(headers)).to.be.within(4_500, 7_000);
    });
  });

  it('counts a network’s requests together, however its addresses are written', async () => {
    const limited = await startGateway({ trustedProxy: '127.0.0.1', requestsPerSecond: 1, burst: 3 });
    const statuses = async (...from: string[]) => {
      const answers = await Promise.all(
        from.map((address) => limited.send({ path: '/api/v1/tasks', headers: { 'X-Forwarded-For': address } })),
      );
      return answers.map(({ status }) => status).sort();
    };
    try {
      const neighbours = ['2001:db8::1', '2001:db8::2', '2001:db8:0:0:a:b:c:d', '2001:DB8:0:0::A', '2001:db8::ffff:1'];
      expect(await statuses(...neighbours)).to.deep.equal([200, 200, 200, 200, 429]);
      expect(await statuses('2001:db8:0:1::1'), 'the next /64').to.deep.equal([200]);
      const same = ['192.0.2.1', '::ffff:192.0.2.1', '::ffff:c000:201', '192.0.2.1', '192.0.2.1'];
      expect(await statuses(...same)).to.deep.equal([200, 200, 200, 200, 429]);
      expect(await statuses('::ffff:192.0.2.2', '192.0.2.3'), 'other addresses').to.deep.equal([200, 200]);
      // a byte of an address prefix may equal a newline character
      const newLines = Array.from({ length: 5 }, (_, index) => `2001:a0a:a0a:a0a::${index + 1}`);
      expect(await statuses(...newLines)).to.deep.equal([200, 200, 200, 200, 429]);
    } finally {
      await limited.stop();
    }
  });
});
