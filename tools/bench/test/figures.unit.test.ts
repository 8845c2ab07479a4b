import { expect } from 'chai';
import { medianWithin } from '../figures.ts';

describe('The range of a median', () => {
  it('lies between the samples that a table of the binomial distribution names', () => {
    const samples = (count: number) => Array.from({ length: count }, (_, place) => count - place);
    // 95 % or more: from the 1st to the 6th of 6, from the 3rd to the 10th of 12, from the 7th to the 18th of 24
    expect(medianWithin(samples(6))).to.deep.equal({ median: 3, from: 1, to: 6 });
    expect(medianWithin(samples(12))).to.deep.equal({ median: 6, from: 3, to: 10 });
    expect(medianWithin(samples(24))).to.deep.equal({ median: 12, from: 7, to: 18 });
  });
});
