import { expect } from 'chai';
import { schemas } from '../src/index.ts';

function faultsOf(name: string): unknown[] {
  const { error } = schemas.personName.safeParse(name);
  return (error?.issues ?? []).map((issue) => (issue.code === 'custom' ? issue.params?.['code'] : issue.code));
}

describe('The name of a person', () => {
  const names = ['Ann', 'J. R. R. Tolkien', "Dr. Ann-Marie O'Neil", 'St. John', 'Martin Luther King Jr.', 'Mr.Smith', '李小龙', 'Zoë', 'Ольга'];
  for (const name of [...names, 'Nguyễn Thị Minh Khai', 'عبد الرحمن', 'علی\u200cرضا', 'x'.repeat(100)]) {
    it(`may be ${name}`, () => expect(faultsOf(name)).to.deep.equal([]));
  }

  const refused: readonly (readonly [string, string])[] = [
    ['https://evil.example', 'contains_address'],
    ['Win at evil.com', 'contains_address'],
    ['ann＠evil', 'contains_address'],
    ['evil [dot] com', 'contains_address'],
    ['\u202emoc.live', 'hidden_character'],
    ['An\u200bn', 'hidden_character'],
    ['Ann\u2028Ben', 'hidden_character'],
    ['\u3164\u200b', 'nothing_visible'],
    [' \u00a0 ', 'too_small'],
    ['x'.repeat(101), 'too_big'],
  ];
  for (const [name, code] of refused) {
    it(`may not be ${JSON.stringify(name)}: ${code}`, () => expect(faultsOf(name)).to.deep.equal([code]));
  }

  it('is rejected quickly, however long it is', () => {
    const began = performance.now();
    for (const piece of [' ', '. ', ' (', 'a.', '/ ']) expect(faultsOf(piece.repeat(500_000))).to.not.deep.equal([]);
    // searching these before checking their length would take minutes
    expect(performance.now() - began).to.be.below(2_000);
  });
});
