import { expect } from 'chai';
import { Taskwire, TimeoutError } from '../src/index.ts';
import { failureOf } from './failure-of.ts';
import { json, problem, silence, stall, useServer } from './misbehaving-server.ts';

const id = '019a9d5e-71aa-7b3c-8d4e-5f6a7b8c9d0e';

/** Aborts a call while it waits. Returns its error and the time from the abort to the error: the shortest of three, since the machine may be busy. */
async function abortedCall(
  call: (signal: AbortSignal) => PromiseLike<unknown>,
  reason?: Error,
): Promise<{ error: unknown; ms: number }> {
  const results: { error: unknown; ms: number }[] = [];
  for (let run = 0; run < 3; run++) {
    const control = new AbortController();
    let abortedAt = 0;
    setTimeout(() => {
      abortedAt = performance.now();
      control.abort(reason);
    }, 100);
    const error = await failureOf(call(control.signal));
    results.push({ error, ms: performance.now() - abortedAt });
  }
  return results.reduce((fastest, result) => (result.ms < fastest.ms ? result : fastest));
}

describe('The time of a call', () => {
  const server = useServer();
  const tasks = (timeoutMs?: number) =>
    new Taskwire({ baseUrl: server.url, ...(timeoutMs === undefined ? {} : { timeoutMs }) }).tasks;

  for (const [place, handler] of Object.entries({ 'the response': silence, 'the rest of the body': stall })) {
    it(`is limited while the client waits for ${place}`, async () => {
      server.answers(handler);
      const began = performance.now();
      const error = await failureOf(tasks(100).get(id, { maxRetries: 0 }));
      expect(error).to.be.instanceOf(TimeoutError).and.include({ attempts: 1 });
      // far below any other limit, even on a busy machine
      expect(performance.now() - began).to.be.within(90, 5_000);
    });

    it(`ends within 50 ms after an abort while the client waits for ${place}`, async () => {
      server.answers(handler);
      const reason = new Error('the user left');
      const { error, ms } = await abortedCall((signal) => tasks().get(id, { signal }), reason);
      expect(error).to.equal(reason);
      expect(ms).to.be.below(50);
    });
  }

  it('is limited to 30 s for each attempt unless the client or the call has another limit', async () => {
    server.answers(json(200, { id }));
    const { setTimeout: real } = globalThis;
    const limits: (number | undefined)[] = [];
    const recorded = (run: () => void, ms?: number) => {
      limits.push(ms);
      return real(run, ms);
    };
    globalThis.setTimeout = Object.assign(recorded, real) as typeof setTimeout;
    try {
      await tasks().get(id);
      await tasks(1234).get(id);
      await tasks(1234).get(id, { timeoutMs: 56 });
    } finally {
      globalThis.setTimeout = real;
    }
    expect(limits).to.include.members([30_000, 1234, 56]);
    server.answers(silence);
    expect(await failureOf(tasks().get(id, { timeoutMs: 50, maxRetries: 1 }))).to.include({ attempts: 2 });
  });

  it('ends within 50 ms after an abort during a pause', async () => {
    server.answers(problem(503, 'unavailable', { 'retry-after': '30' }));
    const { error, ms } = await abortedCall((signal) => tasks().get(id, { signal }));
    expect(error).to.have.property('name', 'AbortError');
    expect(ms).to.be.below(50);
    expect(server.requests, 'one for each run').to.have.lengthOf(3);
  });

  it('ends after an abort even if fetch or the source of tokens ignores the signal', async () => {
    for (const given of [
      { fetch: () => new Promise<never>(() => undefined) },
      { auth: { accessToken: () => new Promise<never>(() => undefined) } },
    ]) {
      const { tasks: waiting } = new Taskwire({ baseUrl: server.url, ...given });
      expect((await abortedCall((signal) => waiting.get(id, { signal }))).ms).to.be.below(50);
    }
  });

  it('ends before any request when the signal is already aborted', async () => {
    expect(await failureOf(tasks().get(id, { signal: AbortSignal.abort() }))).to.have.property('name', 'AbortError');
    expect(server.requests).to.have.lengthOf(0);
  });

  it('leaves no listener on a long-lived signal', async () => {
    server.answers(json(200, { id }));
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...given: Parameters<typeof addEventListener>) => {
      listeners += 1;
      addEventListener.apply(signal, given);
    };
    signal.removeEventListener = (...given: Parameters<typeof removeEventListener>) => {
      listeners -= 1;
      removeEventListener.apply(signal, given);
    };
    await tasks().get(id, { signal });
    await new Promise((resolve) => setImmediate(resolve));
    expect(listeners).to.equal(0);
  });
});
