import { expect } from 'chai';
import { z } from 'zod';
import { cursorInstant, listCursors } from '../src/index.ts';

describe('A cursor', () => {
  const position = z.tuple([z.string(), z.number()]);
  const filter = { state: 'draft', q: undefined };
  const cursors = listCursors(position, { name: 'things', filter });

  it('comes back as it was, whatever the order of the filters', () => {
    const same = listCursors(position, { name: 'things', filter: { q: undefined, state: 'draft' } });
    expect(same.decode(cursors.encode(['a', 1]))).to.deep.equal(['a', 1]);
    expect(cursors.decode(undefined)).to.equal(undefined);
  });

  const others = {
    'another list': { name: 'others', filter },
    'another filter': { name: 'things', filter: { state: 'completed' } },
    'one filter more': { name: 'things', filter: { ...filter, q: 'x' } },
    'no filter': { name: 'things', filter: {} },
  };
  const wrong: Record<string, string> = {
    ...Object.fromEntries(
      Object.entries(others).map(([what, list]) => [`of ${what}`, listCursors(position, list).encode(['a', 1])]),
    ),
    'that is empty': '',
    'that is no base64url': '%%%',
    'that is no list': Buffer.from('{"id":1}').toString('base64url'),
    'whose position is another shape': listCursors(z.string(), { name: 'things', filter }).encode('a'),
  };
  for (const [what, cursor] of Object.entries(wrong)) {
    it(`${what} is refused`, () => {
      expect(() => cursors.decode(cursor))
        .to.throw()
        .with.property('code', 'bad_cursor');
    });
  }

  it('has instants in the one form that the database gives, so that nothing else gets to it', () => {
    expect(cursorInstant.safeParse('2026-11-28T12:00:00.123456Z').success).to.equal(true);
    for (const text of [
      `2026-11-28T12:00:00.${'1'.repeat(200)}Z`,
      '2026-11-28T12:00:00.123456+16:00',
      '0000-11-28T12:00:00.123456Z',
      '2026-02-30T12:00:00.123456Z',
      'infinity',
    ]) {
      expect(cursorInstant.safeParse(text).success, text).to.equal(false);
    }
  });
});
