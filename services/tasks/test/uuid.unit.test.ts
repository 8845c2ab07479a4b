import { expect } from 'chai';
import { uuidFrom } from '../src/domain/uuid.ts';

describe('A UUID from digits', () => {
  it('keeps the digits, apart from its version and variant', () => {
    expect(uuidFrom('0123456789abcdef0123456789abcdef', 7)).to.equal('01234567-89ab-7def-8123-456789abcdef');
    expect(uuidFrom('f'.repeat(32), 8)).to.equal('ffffffff-ffff-8fff-bfff-ffffffffffff');
  });
});
