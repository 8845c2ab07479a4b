import { expect } from 'chai';
import { gather } from '../src/gather.ts';

describe('Work that is gathered', () => {
  /** Gathers numbers; the result of each is its double. `fails` rejects, and `refuses` leaves an item to `alone`. */
  function doubling(o: { fails?: (items: readonly number[]) => Error | undefined; refuses?: number } = {}) {
    const ran: (readonly number[])[] = [];
    async function run(items: readonly number[]): Promise<number[]> {
      ran.push(items);
      const error = o.fails?.(items);
      if (error !== undefined) throw error;
      return items.map((item) => item * 2);
    }
    const double = gather<number, number>({
      name: 'double',
      maxItems: 3,
      together: async (items) =>
        (await run(items)).map((value, place) => (items[place] === o.refuses ? undefined : value)),
      alone: async (item) => (await run([item]))[0] ?? 0,
    });
    return { double, ran };
  }

  const settled = async (results: readonly Promise<number>[]) =>
    (await Promise.allSettled(results)).map((one) => (one.status === 'fulfilled' ? one.value : String(one.reason)));

  it('runs at once when it is the only work', async () => {
    const { double, ran } = doubling();
    expect(await double(1)).to.equal(2);
    expect(ran).to.deep.equal([[1]]);
  });

  it('shares batches of a limited size, and each item gets its own result', async () => {
    const { double, ran } = doubling();
    expect(await Promise.all([1, 2, 3, 4].map(double))).to.deep.equal([2, 4, 6, 8]);
    expect(ran).to.deep.equal([[1, 2, 3], [4]]);
  });

  it('runs alone when its batch fails, so that no item is affected by the error of another', async () => {
    const { double, ran } = doubling({ fails: (items) => (items.includes(2) ? new Error('faulty') : undefined) });
    expect(await settled([1, 2, 3].map(double))).to.deep.equal([2, 'Error: faulty', 6]);
    expect(ran).to.deep.equal([[1, 2, 3], [1], [2], [3]]);
  });

  it('fails together, without being repeated, while the database is unavailable', async () => {
    const outage = Object.assign(new Error('connection refused'), { code: 'ECONNREFUSED' });
    const { double, ran } = doubling({ fails: () => outage });
    expect(await settled([1, 2].map(double))).to.deep.equal(Array(2).fill('Error: connection refused'));
    expect(ran).to.deep.equal([[1, 2]]);
  });

  it('runs alone when its batch has left it out', async () => {
    const { double, ran } = doubling({ refuses: 2 });
    expect(await Promise.all([1, 2, 3].map(double))).to.deep.equal([2, 4, 6]);
    expect(ran).to.deep.equal([[1, 2, 3], [2]]);
  });
});
