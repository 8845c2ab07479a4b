import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { z } from 'zod';
import { defineRoute } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { createTelemetry, noteFailure, openTelemetry, withSpan, type Telemetry } from '@taskwire/telemetry';
import { spansOf, startReceiver, type Receiver } from '@taskwire/testing';
import { bind, createHttpServer, response, type HttpServer } from '../src/index.ts';

const about = { operationId: 'x', summary: '', tag: '', access: { kind: 'anyone' }, responses: { 204: null } } as const;
const noted = new Error('of a protocol');
const route = (path: string) => defineRoute({ ...about, method: 'get', path, query: z.looseObject({}) });

describe('A request', () => {
  let server: HttpServer | undefined;
  let receiver: Receiver | undefined;

  afterEach(async () => {
    await server?.stop();
    await receiver?.stop();
    receiver = undefined;
  });

  async function start(telemetry: Telemetry): Promise<string> {
    server = createHttpServer({
      ...{ telemetry, host: '127.0.0.1', port: 0, trustedProxies: ['loopback'] },
      authenticator: { authenticate: async () => await Promise.reject(problem('unauthenticated')) },
      readiness: { database: async () => await withSpan({ name: 'a probe' }, async () => undefined) },
      routes: [
        bind(route('/api/v1/fine'), async () => await withSpan({ name: 'a statement' }, async () => response(204))),
        bind(route('/api/v1/missing'), async () => await Promise.reject(problem('not_found'))),
        bind(route('/api/v1/broken'), async () => await Promise.reject(new Error('ann@example.com'))),
      ],
      rawRoutes: [
        { path: '/raw/:secret', handle: async (_request, raw) => void raw.writeHead(503).end() },
        {
          path: '/noted',
          handle: async (_request, raw) => {
            noteFailure(noted);
            raw.writeHead(500).end();
          },
        },
      ],
    });
    await server.start();
    return server.url();
  }

  it('is reported if it fails with 5xx, with its error, code and route', async () => {
    const reports: unknown[] = [];
    const telemetry = createTelemetry({ service: 'test', stream: new PassThrough().resume() });
    const url = await start({ ...telemetry, reportError: (report) => void reports.push(report) });
    for (const path of ['/api/v1/fine', '/api/v1/missing', '/nowhere', '/api/v1/broken', '/raw/sEcReT', '/noted']) {
      await (await fetch(`${url}${path}`)).text();
    }
    await server?.stop();
    expect(reports).to.have.length(3);
    expect(reports[0]).to.deep.include({
      kind: 'server_error',
      tags: { code: 'internal', route: '/api/v1/broken' },
    });
    expect(reports[0]).to.have.property('error').that.is.instanceOf(Error);
    expect(reports[1]).to.deep.equal({ kind: 'server_error', tags: { code: 'status_503', route: '/raw/:secret' } });
    expect(reports[2]).to.deep.equal({
      kind: 'server_error',
      error: noted,
      tags: { code: 'status_500', route: '/noted' },
    });
  });

  it('has a span with its route and status, and a trace with the id of the request, unless it comes from a probe', async () => {
    receiver = await startReceiver();
    const telemetry = await openTelemetry({
      ...{ service: 'test', release: '1.0.0', level: 'error', sentry: undefined },
      traces: {
        ...{ endpoint: receiver.url, headers: {}, encoding: 'http/json', resource: {} },
        ...{ sampler: 'parentbased_always_on', ratio: 1, maxQueuedSpans: 100 },
      },
    });
    const url = await start(telemetry);
    const requestId = 'c0ffee00c0ffee00c0ffee00c0ffee00';
    for (const path of ['/api/v1/fine?q=sEcReT', '/raw/sEcReT', '/sEcReT', '/ready', '/health', '/metrics']) {
      const answer = await fetch(`${url}${path}`, { headers: { 'x-request-id': requestId, 'x-sEcReT': 'sEcReT' } });
      await answer.text();
    }
    await server?.stop();
    await telemetry.shutdown();
    const spans = spansOf(receiver.requests);
    const described = spans.map(({ kind, name, attributes }) => [kind, name, attributes['http.response.status_code']]);
    expect(described).to.deep.equal([
      ['INTERNAL', 'a statement', undefined],
      ['SERVER', 'GET /api/v1/fine', 204],
      ['SERVER', 'GET /raw/:secret', 503],
      ['SERVER', 'GET', 404],
    ]);
    expect(spans.map(({ traceId }) => traceId)).to.deep.equal(Array.from({ length: 4 }, () => requestId));
    expect(spans[1]?.attributes).to.deep.equal({
      'http.request.method': 'GET',
      'url.scheme': 'http',
      'network.protocol.version': '1.1',
      'taskwire.request.id': requestId,
      'http.response.status_code': 204,
      'http.route': '/api/v1/fine',
    });
    expect(spans[2]).to.deep.include({ status: { code: 2 } });
    expect(receiver.requests.map(({ body }) => body.toString()).join()).not.to.include('sEcReT');
  });
});
