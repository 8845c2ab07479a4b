import { expect } from 'chai';
import { hasHiddenCharacter, hasVisibleCharacter, readingKey, withoutInvisible } from '../src/index.ts';

describe('invisible characters', () => {
  const hidden = [
    ...[
      '\u202eevil',
      'a\u202cb',
      'a\u2066b',
      'a\u2069',
      'a\u200fb',
      'a\u061cb',
      'a\u200bb',
      'a\u2060b',
      'a\ufeffb',
      'a\u00adb',
      'a\u034fb',
    ],
    ...[
      'a\u200db',
      'я\u200cя',
      '\u3164',
      '\u115f',
      '\u2800',
      'a\u{e0041}',
      'a\u2028b',
      'a\u2029b',
      'a\u0085b',
      'a\nb',
      'a\0b',
      'a\ud800b',
    ],
    ...['\ufe0fa', 'a \ufe0f', 'a\ufe0f\ufe0f'],
  ];
  for (const text of hidden) {
    it(`are detected in ${escape(text)}`, () => expect(hasHiddenCharacter(text)).to.equal(true));
  }

  const written = [
    'علی\u200cرضا',
    'ශ්\u200dරී',
    '葛\u{e0100}城',
    '👩\u200d💻',
    '❤\ufe0f\u200d🔥',
    '👩🏽\u200d💻',
    'Ann-Marie',
    'Nguyễn',
  ];
  for (const text of written) {
    it(`are accepted where a script requires them: ${escape(text)}`, () => {
      expect(hasHiddenCharacter(text)).to.equal(false);
      expect(withoutInvisible(text)).to.equal(text);
    });
  }

  it('are removed, and the other characters are kept', () => {
    expect(withoutInvisible('\u202ee\u200bv\u00adil\u2069 علی\u200cرضا')).to.equal('evil علی\u200cرضا');
  });

  it('alone do not form a name', () => {
    for (const text of [
      '\u200b',
      '\u3164\u3164',
      '\u2800',
      ' \u00a0\u3000',
      '\u200d',
      '\u202e\u202c',
      '\ufe0f',
      '\u{e0041}',
      '\u{1d159}',
      '\uffa0\u180e\u2064',
      '',
    ]) {
      expect(hasVisibleCharacter(text), escape(text)).to.equal(false);
    }
    for (const text of ['A', '李', '.', '👩', '\u200bA']) expect(hasVisibleCharacter(text), text).to.equal(true);
  });
});

describe('texts that look the same', () => {
  const same: [string, string][] = [
    ['caf\u00e9', 'cafe\u0301'],
    ['\u1112\u1161\u11ab', '\ud55c'],
    ['home', 'ho\u200bme'],
    ['home', '\u202ehome'],
    ['home', 'home\u{e0041}'],
  ];
  for (const [one, other] of same) {
    it(`have the same key: ${escape(one)} and ${escape(other)}`, () => {
      expect(readingKey(one)).to.equal(readingKey(other));
    });
  }

  it('have different keys when they differ in case, in a look-alike letter, or in a character that a word requires', () => {
    for (const [one, other] of [
      ['home', 'Home'],
      ['fi', '\ufb01'],
      ['a', '\u0430'],
      ['علی\u200cرضا', 'علیرضا'],
    ] as const) {
      expect(readingKey(one), escape(one)).not.to.equal(readingKey(other));
    }
  });
});

/** Returns the text with each special character replaced by its code point. */
function escape(text: string): string {
  return text.replaceAll(/[^ -~]/gu, (one) => `<${one.codePointAt(0)?.toString(16)}>`);
}
