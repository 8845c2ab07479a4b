import { expect } from 'chai';
import { silent, waitFor } from '@taskwire/testing';
import { createTelemetry } from '@taskwire/telemetry';
import { z } from 'zod';
import { createServiceClient, type ServiceClient, type ServiceClientTuning } from '../src/index.ts';
import { answeringServer, type AnsweringServer, hang, json, problemAnswer } from './answering-server.ts';

const schema = z.object({ id: z.string() });
const ok = json(200, { id: 'a' });
const broken = json(500, {});

describe('the breaker of a client', () => {
  let server: AnsweringServer;
  let auth: ServiceClient;
  const telemetry = createTelemetry({ service: 'tasks', stream: silent() });

  function create(tuning: Partial<ServiceClientTuning> = {}): void {
    auth = createServiceClient({
      name: 'auth',
      baseUrl: server.url,
      audience: 'urn:taskwire:auth',
      scope: 'users:read',
      tokens: { get: async () => 'token', invalidate: () => undefined, close: async () => undefined },
      telemetry,
      tuning: { maxAttempts: 1, volumeThreshold: 4, resetAfterMs: 300, ...tuning },
    });
  }

  async function call(timeoutMs = 5_000): Promise<string> {
    const answer = await auth.get('/users/a', schema, { timeoutMs });
    return answer.kind === 'unavailable' ? answer.reason : answer.kind;
  }

  async function openIt(): Promise<void> {
    server.answer(broken);
    for (let failures = 0; failures < 4; failures++) await call();
    expect(auth.open).to.equal(true);
  }

  async function halfOpen(): Promise<void> {
    await waitFor(() => !auth.open);
  }

  beforeEach(async () => {
    server = await answeringServer(ok);
    create();
  });

  afterEach(async () => {
    await server.stop();
    await auth.close();
  });

  it('stays closed on the first failure', async () => {
    server.answer(broken);
    await call();
    await call();
    expect(auth.open).to.equal(false);
  });

  it('opens when the share of failed calls exceeds the threshold, then sends no request', async () => {
    await openIt();
    const requestsBefore = server.requests.length;
    const answer = await auth.get('/users/a', schema);
    expect(answer).to.include({ kind: 'unavailable', reason: 'breaker_open' });
    expect((answer as { retryAfterMs: number }).retryAfterMs).to.be.within(1, 300);
    expect(server.requests).to.have.length(requestsBefore);
  });

  it('stays closed when the service responds with refusals', async () => {
    for (const status of [400, 401, 403, 404, 410, 422]) {
      server.answer(problemAnswer(status, status === 410 ? 'gone' : 'not_found'));
      for (let calls = 0; calls < 5; calls++) await call();
    }
    expect(auth.open).to.equal(false);
  });

  it('stays closed when callers cancel', async () => {
    server.answer(hang);
    for (let calls = 0; calls < 6; calls++) {
      const controller = new AbortController();
      const requestsBefore = server.requests.length;
      const answer = auth.get('/users/a', schema, { signal: controller.signal });
      await waitFor(() => server.requests.length > requestsBefore);
      controller.abort();
      await answer;
    }
    expect(auth.open).to.equal(false);
  });

  it('stays closed when callers allowed too little time to judge', async () => {
    server.answer(hang);
    for (let calls = 0; calls < 6; calls++) expect(await call(10)).to.equal('deadline');
    expect(auth.open).to.equal(false);
  });

  it('opens when a service hangs, even when every caller cancels before its timeouts', async () => {
    server.answer(hang);
    await Promise.all(Array.from({ length: 6 }, async () => await call(600)));
    expect(auth.open).to.equal(true);
  });

  it('opens when the port is closed', async () => {
    await server.stop();
    for (let calls = 0; calls < 4; calls++) expect(await call()).to.equal('network');
    expect(auth.open).to.equal(true);
  });

  it('sends one trial call when half open, and closes when it succeeds', async () => {
    await openIt();
    await halfOpen();
    let finish: (() => void) | undefined;
    server.answer((request, response) => void (finish = () => ok(request, response)));
    const requestsBefore = server.requests.length;
    const trial = call();
    await waitFor(() => finish);
    expect(auth.open, 'others are refused during the trial').to.equal(true);
    expect(await call()).to.equal('breaker_open');
    finish?.();
    expect(await trial).to.equal('ok');
    expect(server.requests).to.have.length(requestsBefore + 1);
    server.answer(ok);
    expect(await call()).to.equal('ok');
  });

  it('opens again when the trial fails', async () => {
    await openIt();
    await halfOpen();
    expect(await call()).to.equal('status');
    expect(auth.open).to.equal(true);
    expect(await call()).to.equal('breaker_open');
  });

  it('closes when the trial receives 404, because the service works', async () => {
    await openIt();
    await halfOpen();
    server.answer(problemAnswer(404, 'not_found'));
    // many, because on a busy machine the failures before may still be counted
    for (let calls = 0; calls < 20; calls++) expect(await call()).to.equal('not_found');
    server.answer(broken);
    await call();
    expect(await call(), 'closed, not half open').to.equal('status');
  });

  it('neither closes nor opens when the caller cancels the trial; the next call becomes the trial', async () => {
    await openIt();
    await halfOpen();
    server.answer(hang);
    const controller = new AbortController();
    const requestsBefore = server.requests.length;
    const cancelled = auth.get('/users/a', schema, { signal: controller.signal });
    await waitFor(() => server.requests.length > requestsBefore);
    controller.abort();
    expect(await cancelled).to.include({ reason: 'cancelled' });
    expect(auth.open).to.equal(false);
    server.answer(broken);
    expect(await call()).to.equal('status');
    expect(auth.open, 'it was still half open, where one failure is enough').to.equal(true);
  });

  it('is not closed by a call that began before it opened and succeeds later', async () => {
    let finish: (() => void) | undefined;
    server.answer((request, response) => void (finish = () => ok(request, response)));
    const early = call();
    await waitFor(() => finish);
    await openIt();
    await halfOpen();
    finish?.();
    expect(await early).to.equal('ok');
    expect(await call()).to.equal('status');
    expect(auth.open, 'one failure opens it, so it was half open').to.equal(true);
  });

  it('forgets earlier failures once it has closed', async () => {
    await openIt();
    await halfOpen();
    server.answer(ok);
    expect(await call()).to.equal('ok');
    server.answer(broken);
    await call();
    await call();
    expect(auth.open).to.equal(false);
  });

  it('does not count refused calls in the error rate', async () => {
    await openIt();
    for (let refused = 0; refused < 100; refused++) await call();
    await halfOpen();
    server.answer(ok);
    await call();
    server.answer(broken);
    for (let failures = 0; failures < 4; failures++) await call();
    expect(auth.open).to.equal(true);
  });
});
