import { expect } from 'chai';
import { retry, unavailable } from '@taskwire/inbox';

describe('retry requested by a handler', () => {
  it('waits as long as the dependency requests, but at most ten minutes', () => {
    for (const outcome of [retry, unavailable]) {
      expect(outcome('unavailable', 30_000)).to.include({ afterMs: 30_000 });
      expect(outcome('unavailable', 365 * 24 * 3_600_000)).to.include({ afterMs: 600_000 });
      expect(outcome('unavailable')).not.to.have.property('afterMs');
    }
  });
});
