import { expect } from 'chai';
import { wrongJudgements } from './judging.ts';
import { mutations } from './mutations.ts';

describe('The judgement of differences between contracts', () => {
  it('is right for each of at least 120 changes to the real documents', () => {
    expect(wrongJudgements(mutations)).to.deep.equal([]);
    expect(mutations.length).to.be.at.least(120);
  }).timeout(120_000);
});
