import { expect } from 'chai';
import { backOffMs, type BackOff } from '@taskwire/lifecycle';

function pauses(failures: number, options: BackOff): { least: number; most: number } {
  const all = Array.from({ length: 500 }, () => backOffMs(failures, options));
  return { least: Math.min(...all), most: Math.max(...all) };
}

describe('backOffMs', () => {
  const bounds = { baseMs: 100, capMs: 1_000 };

  it('doubles the bound with each failure, up to the cap', () => {
    for (const [failures, bound] of [
      [1, 100],
      [2, 200],
      [4, 800],
      [5, 1_000],
      [10_000, 1_000],
    ] as const) {
      const { most } = pauses(failures, bounds);
      expect(most).to.be.within(bound * 0.9, bound);
    }
  });

  it('pauses from zero with full jitter, and from half of the bound with equal jitter', () => {
    expect(pauses(2, bounds).least).to.be.within(0, 20);
    expect(pauses(2, { ...bounds, jitter: 'equal' }).least).to.be.within(100, 110);
  });
});
