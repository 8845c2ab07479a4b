import { expect } from 'chai';
import fc from 'fast-check';
import { pathOfWaits, type Wait } from '../../src/domain/links/cycle.ts';

const wait = fc
  .tuple(fc.nat(7), fc.nat(7))
  .map(([task, waitsFor]): Wait => ({ task: String(task), waitsFor: String(waitsFor) }));

/** Whether a path exists, by squaring the relation until it is transitively closed. */
function isReachable(waits: readonly Wait[], from: string, to: string): boolean {
  const reached = new Set([from]);
  for (let before = 0; before < reached.size;) {
    before = reached.size;
    for (const { task, waitsFor } of waits) if (reached.has(task)) reached.add(waitsFor);
  }
  return reached.has(to);
}

describe('A path of waits', () => {
  it('exists exactly if one task waits for the other, is made of waits, and repeats no task', () => {
    fc.assert(
      fc.property(fc.array(wait, { maxLength: 20 }), fc.nat(7), fc.nat(7), (waits, a, b) => {
        const [from, to] = [String(a), String(b)];
        const path = pathOfWaits(waits, from, to);
        expect(path !== undefined).to.equal(isReachable(waits, from, to));
        if (path === undefined) return;
        expect([path[0], path.at(-1)]).to.deep.equal([from, to]);
        expect(new Set(path).size).to.equal(path.length);
        for (const [index, task] of path.slice(0, -1).entries())
          expect(waits).to.deep.include({ task, waitsFor: path[index + 1] });
      }),
    );
  });
});
