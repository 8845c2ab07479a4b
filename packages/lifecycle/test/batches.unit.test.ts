import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { createBatches } from '../src/index.ts';

/** Batches of numbers that end when the test says so; the result of each number is its double. */
function doubling(maxRunning?: number) {
  const batches: { items: number[]; end: () => void }[] = [];
  const double = createBatches<number, number>({
    name: 'double',
    maxItems: 3,
    ...(maxRunning === undefined ? {} : { maxRunning }),
    async run(items) {
      const { promise, resolve } = Promise.withResolvers<void>();
      batches.push({ items, end: resolve });
      await promise;
      return items.map((item) => item * 2);
    },
  });
  const begun = async (count: number): Promise<void> => {
    await waitFor(() => batches.length === count);
  };
  return { double, batches, begun, items: () => batches.map(({ items }) => items) };
}

describe('Batches', () => {
  it('run one at a time, and take what arrives in the meantime together', async () => {
    const { double, batches, begun, items } = doubling();
    const results = [1, 2].map(double);
    await begun(1);
    results.push(...[3, 4].map(double));
    // a second batch would begin in the next turn
    await new Promise((resolve) => setImmediate(resolve));
    expect(items()).to.deep.equal([[1, 2]]);
    batches[0]?.end();
    await begun(2);
    batches[1]?.end();
    expect(await Promise.all(results)).to.deep.equal([2, 4, 6, 8]);
    expect(items()).to.deep.equal([
      [1, 2],
      [3, 4],
    ]);
  });

  it('run at the same time up to a limit, so that a slow one delays none of those', async () => {
    const { double, batches, begun, items } = doubling(2);
    const results = [1, 2].map(double);
    await begun(1);
    results.push(double(3));
    await begun(2);
    results.push(double(4));
    await new Promise((resolve) => setImmediate(resolve));
    expect(items()).to.deep.equal([[1, 2], [3]]);
    batches[1]?.end();
    await begun(3);
    expect(await results[2]).to.equal(6);
    for (const { end } of batches) end();
    expect(await Promise.all(results)).to.deep.equal([2, 4, 6, 8]);
  });
});
