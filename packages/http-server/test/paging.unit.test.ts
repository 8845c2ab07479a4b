import { expect } from 'chai';
import { listCursors, paged } from '../src/index.ts';

const at = '2026-11-28T12:00:00.123456Z';
const id = '019a9d5e-71aa-7b3c-8d4e-5f6a7b8c9d0e';

describe('cursors of a list', () => {
  const filter = { state: 'draft', q: undefined };
  const cursors = listCursors('instant and id', { name: 'things', filter });

  it('return the position that they encode, whatever the order of the filters', () => {
    const same = listCursors('instant and id', { name: 'things', filter: { q: undefined, state: 'draft' } });
    expect(same.decode(cursors.encode([at, id]))).to.deep.equal([at, id]);
    expect(cursors.decode(undefined)).to.equal(undefined);
  });

  it('encode the position in a single-column order as the bare value, as earlier versions did', () => {
    const byId = listCursors('id', { name: 'things', filter });
    const [, position] = JSON.parse(Buffer.from(byId.encode([id]), 'base64url').toString()) as [string, unknown];
    expect(position).to.equal(id);
    expect(byId.decode(byId.encode([id]))).to.deep.equal([id]);
    const byNumber = listCursors('number', { name: 'things', filter });
    expect(byNumber.decode(byNumber.encode(['17']))).to.deep.equal(['17']);
  });

  const others = {
    'another list': { name: 'others', filter },
    'another filter': { name: 'things', filter: { state: 'completed' } },
    'an additional filter': { name: 'things', filter: { ...filter, q: 'x' } },
    'no filter': { name: 'things', filter: {} },
  };
  const wrong: Record<string, string> = {
    ...Object.fromEntries(
      Object.entries(others).map(([what, list]) => [
        `a cursor of ${what}`,
        listCursors('instant and id', list).encode([at, id]),
      ]),
    ),
    'an empty cursor': '',
    'a cursor that is not base64url': '%%%',
    'a cursor that is not a list': Buffer.from('{"id":1}').toString('base64url'),
    'a position of another shape': listCursors('id', { name: 'things', filter }).encode([id]),
    'a position with an additional value': cursors.encode([at, id, id]),
  };
  for (const [what, cursor] of Object.entries(wrong)) {
    it(`reject ${what}`, () => {
      expect(() => cursors.decode(cursor))
        .to.throw()
        .with.property('code', 'bad_cursor');
    });
  }

  it('accept instants only in the format of the database, so that no other value reaches it', () => {
    for (const text of [
      `2026-11-28T12:00:00.${'1'.repeat(200)}Z`,
      '2026-11-28T12:00:00.123456+16:00',
      '0000-11-28T12:00:00.123456Z',
      '2026-02-30T12:00:00.123456Z',
      'infinity',
    ]) {
      expect(() => cursors.decode(cursors.encode([text, id])), text)
        .to.throw()
        .with.property('code', 'bad_cursor');
    }
  });

  it('accept ids and numbers only in a form that the database can read', () => {
    const faults = { id: ['1', `${id}0`, "' OR 1=1"], number: ['-1', '1e3', '9'.repeat(19), ''] } as const;
    for (const kind of ['id', 'number'] as const) {
      const list = listCursors(kind, { name: 'things', filter });
      for (const text of faults[kind]) {
        expect(() => list.decode(list.encode([text])), text)
          .to.throw()
          .with.property('code', 'bad_cursor');
      }
    }
  });
});

describe('a page', () => {
  const request = { name: 'numbers', filter: {}, positions: 'number', limit: 2 } as const;
  const numbers = ['1', '2', '3', '4', '5'];
  const read = async ({ after, limit }: { after: readonly string[] | undefined; limit: number }) => {
    const rest = numbers.filter((value) => after === undefined || value > String(after[0]));
    return { items: rest.slice(0, limit), next: rest.length > limit ? rest.slice(limit - 1, limit) : undefined };
  };

  it('contains the cursor of the next page, and null at the end', async () => {
    const pages: string[][] = [];
    let cursor: string | undefined;
    do {
      const { data, next_cursor: next } = await paged({ ...request, cursor }, read);
      pages.push(data);
      cursor = next ?? undefined;
    } while (cursor !== undefined);
    expect(pages).to.deep.equal([['1', '2'], ['3', '4'], ['5']]);
  });

  it('rejects a cursor of another list before anything is read', async () => {
    const cursor = listCursors('number', { name: 'others', filter: {} }).encode(['1']);
    const failure = await paged({ ...request, cursor }, () => expect.fail('read')).catch((error: unknown) => error);
    expect(failure).to.have.property('code', 'bad_cursor');
  });
});
