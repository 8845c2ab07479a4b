import { expect } from 'chai';
import { parseIfMatch, representationTag, requireMatch, versionTag } from '../src/preconditions.ts';

describe('The entity tag of an epoch', () => {
  const version = 3;

  it('has only the version and the hash in epoch 1', () => {
    expect(representationTag({ version, epoch: 1 }, 'text')).to.match(/^"3-[\w-]{27}"$/);
    expect(versionTag(version, 1)).to.equal('"3"');
  });

  it('names every later epoch, and is accepted as If-Match within it', () => {
    const tag = representationTag({ version, epoch: 2 }, 'text');
    expect(tag).to.match(/^"e2-3-[\w-]{27}"$/);
    expect(parseIfMatch(tag, 2)).to.deep.equal({ epoch: 2, versions: [3] });
    expect(parseIfMatch(versionTag(version, 2), 2)).to.deep.equal({ epoch: 2, versions: [3] });
  });

  it('matches no version of another epoch, since a restored database uses versions again', () => {
    for (const [of, present] of [
      [1, 2],
      [2, 1],
      [2, 3],
    ] as const) {
      const ifMatch = parseIfMatch(representationTag({ version, epoch: of }, 'text'), present);
      expect(() => requireMatch(ifMatch, version), `${of} in ${present}`)
        .to.throw()
        .that.deep.includes({ code: 'precondition_failed', headers: { ETag: versionTag(version, present) } });
    }
  });

  it('is not needed for *, which accepts any version of the current epoch', () => {
    expect(() => requireMatch(parseIfMatch('*', 7), version)).not.to.throw();
  });
});
