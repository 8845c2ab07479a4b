import { expect } from 'chai';
import { retry, unavailable } from '@taskwire/inbox';

describe('The outcome of a handler that wants to be called again', () => {
  it('waits for as long as the other side asks, but for ten minutes at most', () => {
    for (const outcome of [retry, unavailable]) {
      expect(outcome('away', 30_000)).to.include({ afterMs: 30_000 });
      expect(outcome('away', 365 * 24 * 3_600_000)).to.include({ afterMs: 600_000 });
      expect(outcome('away')).not.to.have.property('afterMs');
    }
  });
});
