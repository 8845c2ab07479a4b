import { expect } from 'chai';
import { createGate } from '../src/passwords/gate.ts';

/** Work that runs until the test completes it or makes it fail. */
function work() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const job = { started: false, finish: () => resolve('done'), fail: () => reject(new Error('failed')) };
  return {
    ...job,
    job,
    run: async () => {
      job.started = true;
      return await promise;
    },
  };
}

const settled = async () => await new Promise((resolve) => setImmediate(resolve));

describe('the gate before password hashes', () => {
  it('runs a limited number of calls, queues a limited number, and refuses the next at once', async () => {
    const gate = createGate({ concurrency: 2, queue: 2 });
    const works = Array.from({ length: 5 }, work);
    const results = works.map(({ run }) => gate.run(run));
    const refused = await results[4]?.catch((error: unknown) => error);
    expect(refused).to.include({ code: 'unavailable' });
    expect(works.map(({ job }) => job.started)).to.deep.equal([true, true, false, false, false]);
    expect([gate.running(), gate.waiting()]).to.deep.equal([2, 2]);
    for (const { finish } of works) finish();
    expect(await Promise.all(results.slice(0, 4))).to.deep.equal(['done', 'done', 'done', 'done']);
    expect([gate.running(), gate.waiting()]).to.deep.equal([0, 0]);
  });

  it('serves in order of arrival, and continues after a failure', async () => {
    const gate = createGate({ concurrency: 1, queue: 10 });
    const [first, second, third] = [work(), work(), work()];
    const results = [first, second, third].map(({ run }) => gate.run(run));
    first.fail();
    expect(await results[0]?.catch((error: unknown) => String(error))).to.equal('Error: failed');
    await settled();
    expect([second.job.started, third.job.started]).to.deep.equal([true, false]);
    second.finish();
    await results[1];
    await settled();
    expect(third.job.started).to.equal(true);
    third.finish();
    await results[2];
    expect(gate.running()).to.equal(0);
  });
});
