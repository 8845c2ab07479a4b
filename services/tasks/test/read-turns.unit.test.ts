import { Problem } from '@taskwire/errors';
import { expect } from 'chai';
import { takingTurns, type ReadTurns } from '../src/postgres/lists/bounded-reads.ts';

const kinds = ['lists', 'activity', 'sync'] as const;

describe('The turns of reads whose cost depends on the request', () => {
  /** Begins reads, each of which runs until its function in `ends` is called. A read that waited too long on a busy machine is refused. */
  function beginMany(turns: ReadTurns, each: number) {
    const ends: (() => void)[] = [];
    const running = { lists: 0, activity: 0, sync: 0 };
    const read = async (kind: (typeof kinds)[number]) =>
      await turns[kind](async () => {
        running[kind] += 1;
        await new Promise<void>((resolve) => ends.push(resolve));
        running[kind] -= 1;
      });
    const all = Array.from({ length: each }, () => kinds.map(read)).flat();
    return { ended: Promise.allSettled(all), running, ends };
  }

  it('leave a connection for writes, and share the others, whatever the size of the pool', async () => {
    for (const connections of [2, 3, 5, 10, 20, 200]) {
      const { ended, running, ends } = beginMany(takingTurns(connections), 2 * connections);
      let finished = false;
      void ended.then(() => (finished = true));
      while (!finished) {
        const counts = Object.values(running);
        const sum = counts.reduce((one, other) => one + other, 0);
        expect(sum, `of ${connections}`).to.be.below(connections);
        for (const count of counts) expect(count).to.be.at.most(Math.max(1, 0.4 * connections));
        ends.shift()?.();
        await new Promise(setImmediate);
      }
      expect(running).to.deep.equal({ lists: 0, activity: 0, sync: 0 });
    }
  });

  it('of one kind leave room for the others', async () => {
    const turns = takingTurns(10);
    const [first, ...slow] = Array.from({ length: 5 }, () => Promise.withResolvers<string>());
    const lists = [first!, ...slow].map(({ promise }) => turns.lists(async () => await promise));
    for (const kind of ['activity', 'sync'] as const)
      expect(await turns[kind](async () => await Promise.resolve(kind))).to.equal(kind);
    // the fifth list, which has waited, takes the turn of the first
    first!.resolve('first');
    slow.at(-1)!.resolve('last');
    expect(await Promise.all([lists[0], lists[4]])).to.deep.equal(['first', 'last']);
    for (const { resolve } of slow) resolve('');
    await Promise.all(lists);
  });

  it('refuse a read that has waited for half a second, and give its turn to no one', async () => {
    const turns = takingTurns(2);
    const held = Promise.withResolvers<void>();
    const holder = turns.lists(async () => await held.promise);
    const refusal = await turns.sync(() => Promise.reject(new Error('it ran'))).catch((error: unknown) => error);
    expect(refusal).to.be.instanceOf(Problem).and.to.include({ code: 'search_busy' });
    held.resolve();
    await holder;
    expect(await turns.sync(async () => await Promise.resolve('a turn'))).to.equal('a turn');
  });
});
