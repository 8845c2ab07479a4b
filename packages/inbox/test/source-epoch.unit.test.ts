import { expect } from 'chai';
import { sourceEpochOf, type Message } from '../src/message.ts';

describe('The epoch of a message', () => {
  const epochOf = (headers: object) => sourceEpochOf({ headers: JSON.stringify(headers) } as Message);

  it('is the value of its header', () => expect(epochOf({ source_epoch: 3 })).to.equal(3));

  it('is 1 without a header, as in messages of releases without epochs', () => expect(epochOf({})).to.equal(1));

  it('is 1 for a header that is not an epoch, since no header may make a message unreadable', () => {
    for (const value of ['2', 0, -1, 1.5, 2 ** 31, null, {}])
      expect(epochOf({ source_epoch: value }), JSON.stringify(value)).to.equal(1);
  });
});
