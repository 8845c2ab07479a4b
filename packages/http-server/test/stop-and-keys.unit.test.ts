import { once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { exportJWK, generateKeyPair } from 'jose';
import { defineRoute } from '@taskwire/contracts';
import { createTelemetry } from '@taskwire/telemetry';
import { response, bind, createHttpServer, remoteKeys } from '../src/index.ts';

function quiet() {
  return createTelemetry({ service: 'test', stream: new PassThrough().resume() });
}

describe('Stopping the HTTP server', () => {
  const slow = defineRoute({
    method: 'get',
    path: '/api/v1/slow',
    operationId: 'slow',
    summary: '',
    tag: '',
    access: { kind: 'anyone' },
    responses: { 204: null },
  });

  /** A server whose requests respond when `release` resolves. */
  async function started({ drainMs, release = Promise.resolve() }: { drainMs?: number; release?: Promise<void> }) {
    const entered = Promise.withResolvers<void>();
    const server = createHttpServer({
      telemetry: quiet(),
      host: '127.0.0.1',
      port: 0,
      trustedProxies: [],
      readiness: {},
      ...(drainMs !== undefined && { drainMs }),
      authenticator: { authenticate: async () => Promise.reject(new Error('not asked')) },
      routes: [
        bind(slow, async () => {
          entered.resolve();
          await release;
          return response(204);
        }),
      ],
    });
    await server.start();
    return { server, url: server.url(), entered: entered.promise };
  }

  it('lets running requests finish and accepts no new ones', async () => {
    const release = Promise.withResolvers<void>();
    const { server, url, entered } = await started({ release: release.promise });
    const running = fetch(`${url}/api/v1/slow`);
    await entered;
    const stopped = server.stop();
    const refused = await fetch(`${url}/health`).catch((error: unknown) => error);
    release.resolve();
    expect((await running).status).to.equal(204);
    await stopped;
    expect(refused).to.be.instanceOf(TypeError);
  });

  it('serves a request on a kept connection while it drains, closes it with the response, and stops once none is left', async () => {
    // a drain of a minute ends early, or the test exceeds its timeout
    const { server, url } = await started({ drainMs: 60_000 });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const get = async () => {
      const [message] = (await once(request(`${url}/api/v1/slow`, { agent }).end(), 'response')) as [IncomingMessage];
      const port = message.socket.localPort;
      message.resume();
      await once(message, 'end');
      return { status: message.statusCode, connection: message.headers.connection, port };
    };
    const before = await get();
    expect(before).to.deep.include({ status: 204, connection: 'keep-alive' });
    const stopped = server.stop();
    expect(await get()).to.deep.equal({ status: 204, connection: 'close', port: before.port });
    await stopped;
    agent.destroy();
  });

  it('closes the connections that are idle after the drain', async () => {
    const { server, url } = await started({ drainMs: 20 });
    const agent = new Agent({ keepAlive: true });
    const [message] = (await once(request(`${url}/api/v1/slow`, { agent }).end(), 'response')) as [IncomingMessage];
    message.resume();
    await Promise.all([once(message.socket, 'close'), once(message, 'end').then(async () => await server.stop())]);
  });
});

describe('Keys of a JWKS endpoint', () => {
  type Endpoint = { status: number; kids: string[]; requests: number };

  async function endpoint(state: Endpoint) {
    const { publicKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(publicKey);
    const server = createServer((_request, response) => {
      state.requests += 1;
      response.writeHead(state.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ keys: state.kids.map((kid) => ({ ...jwk, kid })) }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
  }

  async function using(
    state: Endpoint,
    test: (keys: ReturnType<typeof remoteKeys>, clock: { ms: number }) => Promise<void>,
  ) {
    const { url, close } = await endpoint(state);
    const clock = { ms: 0 };
    try {
      await test(remoteKeys({ url, telemetry: quiet(), now: () => clock.ms }), clock);
    } finally {
      close();
    }
  }

  it('are fetched once for any number of concurrent callers', async () => {
    const state = { status: 200, kids: ['a'], requests: 0 };
    await using(state, async (keys) => {
      await Promise.all(Array.from({ length: 50 }, async () => await keys.keyFor('a')));
      expect(state.requests).to.equal(1);
    });
  });

  it('stay usable through an outage, for at most a day', async () => {
    const state = { status: 200, kids: ['a'], requests: 0 };
    await using(state, async (keys, clock) => {
      await keys.keyFor('a');
      state.status = 503;
      clock.ms = 23 * 3_600_000;
      expect(await keys.keyFor('a')).not.to.equal(undefined);
      clock.ms = 25 * 3_600_000;
      const failure: unknown = await keys.keyFor('a').catch((error: unknown) => error);
      expect(failure).to.include({ code: 'unavailable' });
    });
  });

  it('are fetched again as soon as a token names a new key', async () => {
    const state = { status: 200, kids: ['a'], requests: 0 };
    await using(state, async (keys, clock) => {
      await keys.keyFor('a');
      state.kids = ['a', 'b'];
      clock.ms = 10_000;
      expect(await keys.keyFor('b')).not.to.equal(undefined);
    });
  });

  it('are not fetched again for a stream of invented ids', async () => {
    const state = { status: 200, kids: ['a'], requests: 0 };
    await using(state, async (keys) => {
      await keys.keyFor('a');
      for (let i = 0; i < 100; i++) expect(await keys.keyFor(`x${i}`)).to.equal(undefined);
      expect(state.requests).to.equal(1);
    });
  });

  it('are reported as unavailable, not as an invalid token, if they were never fetched', async () => {
    await using({ status: 500, kids: [], requests: 0 }, async (keys) => {
      expect(await keys.keyFor('a').catch((error: unknown) => error)).to.include({ code: 'unavailable' });
    });
  });
});
