import { getEventListeners } from 'node:events';
import { expect } from 'chai';
import { raceAbort, untilAborted } from '@taskwire/lifecycle';

const never = new Promise<never>(() => undefined);

describe('raceAbort', () => {
  it('settles like the promise', async () => {
    const { signal } = new AbortController();
    expect(await raceAbort(Promise.resolve(1), signal, undefined)).to.equal(1);
    const failure = await raceAbort(Promise.reject(new Error('failed')), signal).catch((error: unknown) => error);
    expect(failure).to.have.property('message', 'failed');
  });

  it('rejects with the reason of whichever signal is aborted first', async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const result = raceAbort(never, first.signal, second.signal).catch((error: unknown) => error);
    second.abort(new Error('second'));
    first.abort(new Error('first'));
    expect(await result).to.have.property('message', 'second');
  });

  it('rejects at once for a signal that was aborted before the call', async () => {
    const failure = await raceAbort(never, AbortSignal.abort(new Error('too late'))).catch((error: unknown) => error);
    expect(failure).to.have.property('message', 'too late');
  });

  it('ignores a rejection of the promise after the signal', async () => {
    const work = Promise.withResolvers<never>();
    const controller = new AbortController();
    const result = raceAbort(work.promise, controller.signal).catch((error: unknown) => error);
    controller.abort(new Error('stopped'));
    work.reject(new Error('late'));
    expect(await result).to.have.property('message', 'stopped');
  });

  it('leaves no listener on a signal that lives longer than the call', async () => {
    const { signal } = new AbortController();
    await raceAbort(Promise.resolve(), signal);
    await raceAbort(Promise.reject(new Error('failed')), signal).catch(() => undefined);
    expect(getEventListeners(signal, 'abort')).to.have.lengthOf(0);
  });
});

describe('untilAborted', () => {
  it('rejects with the reason of the signal', async () => {
    const failure = await untilAborted(AbortSignal.abort(new Error('stopped'))).catch((error: unknown) => error);
    expect(failure).to.have.property('message', 'stopped');
  });
});
