import { expect } from 'chai';
import { silent, waitFor } from '@taskwire/testing';
import { createTelemetry, withExtractedTrace, withLogContext } from '@taskwire/telemetry';
import { z } from 'zod';
import { createServiceClient, TokenUnavailable, type ServiceClient, type ServiceClientTuning } from '../src/index.ts';
import {
  answeringServer,
  type AnsweringServer,
  cut,
  type Handle,
  hang,
  inTurn,
  json,
  problemAnswer,
} from './answering-server.ts';

const schema = z.object({ id: z.string() });
const ok = json(200, { id: 'a', later: 'a field that this version does not know' });

describe('a client of another service', () => {
  let server: AnsweringServer;
  const clients: ServiceClient[] = [];
  const telemetry = createTelemetry({ service: 'tasks', stream: silent() });

  /** Tokens that count up with each invalidation. */
  function countingTokens() {
    let number = 1;
    return {
      get: async () => `token ${number}`,
      invalidate: (token: string) => void (token === `token ${number}` && (number += 1)),
      close: async () => undefined,
    };
  }

  function client(tuning: Partial<ServiceClientTuning> = {}, tokens = countingTokens()): ServiceClient {
    const created = createServiceClient({
      name: 'auth',
      baseUrl: server.url,
      audience: 'urn:taskwire:auth',
      scope: 'users:read',
      tokens,
      telemetry,
      tuning: { retryPause: { baseMs: 5, capMs: 1_000 }, ...tuning },
    });
    clients.push(created);
    return created;
  }

  beforeEach(async () => {
    server = await answeringServer(ok);
  });

  afterEach(async () => {
    await server.stop();
    await Promise.all(clients.splice(0).map(async (created) => await created.close()));
  });

  it('returns the part of a response that the schema describes', async () => {
    expect(await client().get('/users/a', schema)).to.deep.equal({ kind: 'ok', value: { id: 'a' } });
  });

  it('sends the token, both request ids, the trace and the remaining time', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await withExtractedTrace({ traceparent }, { name: 'test' }, async () => {
      await withLogContext(
        { request_id: 'request 1', client_request_id: 'of the caller' },
        async () => await client().get('/users/a', schema, { timeoutMs: 900 }),
      );
    });
    const headers = server.requests[0]?.headers;
    expect(headers?.authorization).to.equal('Bearer token 1');
    expect(headers?.['x-request-id']).to.equal('request 1');
    expect(headers?.['x-client-request-id']).to.equal('of the caller');
    expect(headers?.['traceparent']).to.match(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    expect(Number(headers?.['x-timeout-ms'])).to.be.within(1, 900);
  });

  it('distinguishes 404 and 410 without a retry', async () => {
    server.answer(inTurn(problemAnswer(404, 'not_found'), problemAnswer(410, 'gone')));
    expect(await client().get('/users/a', schema)).to.deep.equal({ kind: 'not_found' });
    expect(await client().get('/users/a', schema)).to.deep.equal({ kind: 'gone', detail: 'It was used already.' });
    expect(server.requests).to.have.length(2);
  });

  const html = { 'content-type': 'text/html' };
  const document = { 'content-type': 'application/problem+json' };
  const foreign: Record<string, Handle> = {
    "a proxy's page for 404": json(404, '<h1>Not Found</h1>', html),
    "a proxy's page for 410": json(410, '<h1>Gone</h1>', html),
    'a 404 in JSON that is not a problem document': json(404, { code: 'not_found', detail: 'x' }),
    'a 410 in JSON that is not a problem document': json(410, { code: 'gone', detail: 'x' }),
    'a problem document with an unrelated code': problemAnswer(404, 'route_not_found'),
    'a 410 whose problem document says not_found': problemAnswer(410, 'not_found'),
    'a problem document without a code': json(404, { type: 'about:blank', title: 'Not Found', status: 404 }, document),
    'a truncated problem document': (_request, response) => {
      response.writeHead(410, document).end('{"code":"gone","detail":"It w');
    },
    'an empty 410': (_request, response) => void response.writeHead(410).end(),
  };
  for (const [what, answer] of Object.entries(foreign)) {
    it(`treats ${what} as an outage, not as a response of the service, and retries`, async () => {
      server.answer(answer);
      const found = await client().get('/users/a', schema);
      expect(found).to.include({ kind: 'unavailable', reason: 'status' });
      expect(server.requests.length).to.be.greaterThan(1);
    });
  }

  it('sends the idempotency key with every attempt', async () => {
    server.answer(inTurn(json(503, {}), ok));
    await client().get('/users/a', schema, { idempotencyKey: 'delivery 1' });
    const keys = server.requests.map(({ headers }) => headers['idempotency-key']);
    expect(keys).to.deep.equal(['delivery 1', 'delivery 1']);
  });

  it('returns at most 500 characters of the detail of a 410', async () => {
    server.answer(problemAnswer(410, 'gone', 'x'.repeat(501)));
    expect(await client().get('/users/a', schema)).to.deep.equal({ kind: 'gone', detail: 'x'.repeat(500) });
  });

  for (const value of ['999999999', '99999999999999999999', 'Fri, 28 Nov 2098 12:00:00 GMT']) {
    it(`caps Retry-After: ${value} at ten minutes`, async () => {
      server.answer(json(503, {}, { 'retry-after': value }));
      expect(await client().get('/users/a', schema)).to.include({ kind: 'unavailable', retryAfterMs: 600_000 });
    });
  }

  for (const status of [400, 403, 409, 422, 301, 204, 501]) {
    it(`does not retry a request that got ${status}`, async () => {
      server.answer(json(status, {}));
      const answer = await client().get('/users/a', schema);
      expect(answer).to.include({ kind: 'unavailable', reason: status === 403 ? 'unauthorized' : 'status' });
      expect(server.requests).to.have.length(1);
    });
  }

  for (const status of [408, 500, 502, 503, 504]) {
    it(`retries a request that got ${status}`, async () => {
      server.answer(inTurn(json(status, {}), ok));
      expect((await client().get('/users/a', schema)).kind).to.equal('ok');
      expect(server.requests).to.have.length(2);
    });
  }

  it('retries a request whose connection broke', async () => {
    server.answer(inTurn(cut, ok));
    expect((await client().get('/users/a', schema)).kind).to.equal('ok');
  });

  it('retries a request that got 401 once, immediately, with a fresh token', async () => {
    server.answer((request, response) =>
      (request.headers.authorization === 'Bearer token 2' ? ok : json(401, {}))(request, response),
    );
    expect((await client().get('/users/a', schema)).kind).to.equal('ok');
    server.answer(json(401, {}));
    expect(await client().get('/users/a', schema)).to.include({ kind: 'unavailable', reason: 'unauthorized' });
    expect(server.requests.map(({ headers }) => headers.authorization)).to.deep.equal([
      'Bearer token 1',
      'Bearer token 2',
      'Bearer token 1',
      'Bearer token 2',
    ]);
  });

  it('does not retry a 401 without a newer token', async () => {
    server.answer(json(401, {}));
    const tokens = { ...countingTokens(), invalidate: () => undefined };
    expect(await client({}, tokens).get('/users/a', schema)).to.include({ reason: 'unauthorized' });
    expect(server.requests).to.have.length(1);
  });

  it('waits for Retry-After before it retries a request', async () => {
    server.answer(inTurn(json(503, {}, { 'retry-after': '1' }), ok));
    const startedAt = performance.now();
    expect((await client().get('/users/a', schema)).kind).to.equal('ok');
    expect(performance.now() - startedAt).to.be.at.least(990);
  });

  it('fails at once when Retry-After exceeds the deadline, and returns when to retry', async () => {
    server.answer(json(503, {}, { 'retry-after': '20' }));
    const startedAt = performance.now();
    const answer = await client().get('/users/a', schema);
    expect(answer).to.include({ kind: 'unavailable', reason: 'status', retryAfterMs: 20_000 });
    expect(performance.now() - startedAt).to.be.below(1_000);
  });

  it('sends no request until the Retry-After of a 429 has passed', async () => {
    server.answer(json(429, {}, { 'retry-after': '20' }));
    const auth = client();
    await auth.get('/users/a', schema);
    expect(auth.open).to.equal(true);
    const answer = await auth.get('/users/b', schema);
    expect(answer).to.include({ kind: 'unavailable', reason: 'status' });
    expect(server.requests).to.have.length(1);
  });

  it('limits retries to its budget, however many calls fail', async () => {
    server.answer(json(500, {}));
    const auth = client({ retryShare: 0.1, retryReserve: 5, volumeThreshold: 10_000 });
    for (let call = 0; call < 50; call++) await auth.get('/users/a', schema);
    // 50 calls, 5 retries in reserve, 5 earned by the calls; earned retries never exceed the reserve
    expect(server.requests.length).to.be.within(55, 60);
  });

  it('ends at its deadline, including retries, pauses and queueing', async () => {
    server.answer(hang);
    const auth = client({ maxRunning: 1 });
    const startedAt = performance.now();
    const answers = await Promise.all([1, 2].map(async () => await auth.get('/users/a', schema, { timeoutMs: 200 })));
    expect(performance.now() - startedAt).to.be.within(190, 1_000);
    expect(answers.map((answer) => 'reason' in answer && answer.reason)).to.deep.equal(['deadline', 'deadline']);
    expect(server.requests).to.have.length(1);
  });

  it("ends with its caller's signal, and aborts the request", async () => {
    let closed = false;
    server.answer((request) => void request.socket.on('close', () => (closed = true)));
    const controller = new AbortController();
    const answer = client().get('/users/a', schema, { signal: controller.signal });
    await waitFor(() => server.requests.length === 1);
    controller.abort();
    expect(await answer).to.include({ kind: 'unavailable', reason: 'cancelled' });
    await waitFor(() => closed);
  });

  it('is unaffected by a cancelled call, because each call has its own signal', async () => {
    const controller = new AbortController();
    controller.abort();
    const auth = client();
    expect(await auth.get('/users/a', schema, { signal: controller.signal })).to.include({ reason: 'cancelled' });
    expect((await auth.get('/users/a', schema)).kind).to.equal('ok');
  });

  it('rejects a response that breaks the contract, is not JSON, or is too large, without a retry', async () => {
    const auth = client({ maxBodyBytes: 1_000 });
    server.answer(json(200, { id: 1 }));
    expect(await auth.get('/users/a', schema)).to.include({ kind: 'unavailable', reason: 'bad_answer' });
    server.answer((_request, response) => void response.end('<html>'));
    expect(await auth.get('/users/a', schema)).to.include({ kind: 'unavailable', reason: 'bad_answer' });
    server.answer(json(200, { id: 'x'.repeat(2_000) }));
    expect(await auth.get('/users/a', schema)).to.include({ kind: 'unavailable', reason: 'bad_answer' });
    expect(server.requests).to.have.length(3);
  });

  it('limits running and waiting requests, and refuses the others', async () => {
    const answers: (() => void)[] = [];
    server.answer((request, response) => void answers.push(() => ok(request, response)));
    const auth = client({ maxRunning: 2, maxWaiting: 3, volumeThreshold: 1 });
    const calls = Array.from({ length: 7 }, async () => await auth.get('/users/a', schema));
    await waitFor(() => server.requests.length === 2);
    const refused = await Promise.race(calls);
    expect(refused).to.include({ kind: 'unavailable', reason: 'overloaded' });
    for (let done = 0; done < 5; done++) {
      await waitFor(() => answers.length > 0);
      expect(server.requests.length - done).to.be.at.most(2);
      answers.shift()?.();
    }
    const kinds = (await Promise.all(calls)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'ok')).to.have.length(5);
    expect(auth.open, 'a burst of this process opens no breaker').to.equal(false);
  });

  it('reports a missing token without counting it in the breaker', async () => {
    const tokens = {
      ...countingTokens(),
      get: async (): Promise<string> => {
        throw new TokenUnavailable('Auth is unavailable', 250);
      },
    };
    const auth = client({ volumeThreshold: 1 }, tokens);
    const answer = await auth.get('/users/a', schema);
    expect(answer).to.include({ kind: 'unavailable', reason: 'no_token', retryAfterMs: 250 });
    expect(auth.open).to.equal(false);
  });

  it('reports outcomes, durations, retries and the breaker as metrics', async () => {
    telemetry.metrics.resetMetrics();
    server.answer(inTurn(json(500, {}), ok, problemAnswer(404, 'not_found'), json(400, {})));
    const auth = client();
    for (let call = 0; call < 3; call++) await auth.get('/users/a', schema);
    const text = await telemetry.metrics.metrics();
    for (const line of [
      'http_client_calls_total{client="auth",outcome="ok",service="tasks"} 1',
      'http_client_calls_total{client="auth",outcome="not_found",service="tasks"} 1',
      'http_client_calls_total{client="auth",outcome="status",service="tasks"} 1',
      'http_client_call_duration_seconds_count{service="tasks",client="auth"} 3',
      'http_client_retries_total{client="auth",service="tasks"} 1',
      'http_client_breaker_state{client="auth",service="tasks"} 0',
    ]) {
      expect(text).to.contain(line);
    }
  });
});
