import { Problem } from '@taskwire/errors';
import { expect } from 'chai';
import { readTextQuery, type Term } from '../src/domain/search/text-query.ts';

/** Alternatives, each written as `word "phrase" prefix* -word`. */
const read = (given: string) =>
  readTextQuery(given).map(({ all, none }) => [...all.map(shown), ...none.map((term) => `-${shown(term)}`)].join(' '));
const shown = ({ text, isPhrase, isPrefix }: Term) => (isPhrase ? `"${text}"` : `${text}${isPrefix ? '*' : ''}`);

/** The code of the problem that a query causes. */
function codeOf(given: string): string | undefined {
  try {
    readTextQuery(given);
    return undefined;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return error.code;
  }
}

describe('A text query', () => {
  it('has words, phrases, excluded words and alternatives', () => {
    expect(read('paint "garden fence" -red -"old gate" now ')).to.deep.equal([
      'paint "garden fence" now -red -"old gate"',
    ]);
    expect(read('fence or gate OR "the door" ')).to.deep.equal(['fence', 'gate', '"the door"']);
    expect(read('or fence or or gate or ')).to.deep.equal(['fence', 'gate']);
    expect(read('e-mail C++ ')).to.deep.equal(['e-mail C++']);
  });

  it('takes the last word as the beginning of a word, unless it is short, excluded, in quotes, or finished by a space', () => {
    expect(read('pai fen')).to.deep.equal(['pai fen*']);
    expect(read('Cafés')).to.deep.equal(['Cafés*']);
    // vowel signs, a decomposed accent and a hyphen belong to a word
    for (const word of ['हिंदी', 'cafe\u0301', 'e-mai', 'x86-6', 'well-known-thi'])
      expect(read(`paint ${word}`)).to.deep.equal([`paint ${word}*`]);
    for (const given of [
      'fence ',
      'fe',
      'fe\u0301',
      'e-m',
      'e--mail',
      'email-',
      "o'clock",
      'paint -fence',
      '"fence"',
    ]) {
      expect(read(given).join(), given).not.to.include('*');
    }
    // a phrase that is still being typed
    expect(read('"garden fen')).to.deep.equal(['"garden fen"']);
  });

  it('ignores punctuation and the syntax of the database', () => {
    expect(read("fence & | ! :* <-> () ' \\ -- ")).to.deep.equal(['fence']);
    expect(read("fence:*|'x ")).to.deep.equal(["fence:*|'x"]);
  });

  it('is refused without a word to search for, in any alternative, and with too many words', () => {
    for (const given of ['', ' ', '-red', '-', '""', '!!', 'or', 'fence or -red', '…'])
      expect(codeOf(given), given).to.equal('search_too_broad');
    expect(codeOf('fence '.repeat(21))).to.equal('invalid_input');
  });
});
