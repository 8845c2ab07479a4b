import { expect } from 'chai';
import fc from 'fast-check';
import { withoutInvisible, withoutLinks } from '../src/index.ts';

/** Texts that mail clients turn into links: a scheme, `www.`, a host with a known top-level domain, an e-mail address, a Windows share. */
const linked = [
  /[a-z][a-z0-9+.-]*:\/\//iu,
  /\bmailto:\S/iu,
  /\bwww\.\S/iu,
  /[\p{L}\p{N}-]+\.(?:com|net|org|de|io|co|md|рф|shop|example|test)(?![\p{L}\p{N}_-])/iu,
  /[\p{L}\p{N}]@[\p{L}\p{N}]/u,
  /\\\\[\p{L}\p{N}]/u,
];

const changed: readonly (readonly [string, string])[] = [
  ['Fix https://evil.example/now?x=1', 'Fix https[:]//evil[.]example/now?x=1'],
  ['Visit EVIL.COM now', 'Visit EVIL[.]COM now'],
  ['ann@example.org', 'ann[@]example[.]org'],
  ['mailto:ann@example.org', 'mailto[:]ann[@]example[.]org'],
  ['www.evil', 'www[.]evil'],
  ['HTTP://192.0.2.1/x', 'HTTP[:]//192[.]0[.]2[.]1/x'],
  ['evil.newtld/path', 'evil[.]newtld/path'],
  ['evil.newtld:8080', 'evil[.]newtld:8080'],
  ['\\\\server\\share', '[\\\\]server\\share'],
  ['пример.рф', 'пример[.]рф'],
  ['ｅｖｉｌ．ｃｏｍ', 'ｅｖｉｌ[.]ｃｏｍ'],
  ['evil。com', 'evil[.]com'],
  ['read README.md', 'read README[.]md'],
];

const unchanged = [
  ...[
    'Paint the fence (12:34:56)',
    'v2.0',
    'Node.js',
    'report.pdf',
    'Mr.Smith',
    'J.R.R. Tolkien',
    'Wait... what?',
    '1.5/2 cups',
    '50 @ 3 EUR',
  ],
  ...['and/or', 'Note: later', 'example[.]com', '做这个。公司', 'e.g. this', 'Is it in report.pdf?'],
];

describe('text without links', () => {
  for (const [text, safe] of changed)
    it(`replaces ${text} with ${safe}`, () => expect(withoutLinks(text)).to.equal(safe));
  for (const text of unchanged) it(`leaves ${text} unchanged`, () => expect(withoutLinks(text)).to.equal(text));

  it('contains nothing that a mail client links, whatever its parts', () => {
    const piece = fc.constantFrom(
      ...['http', 'https', 'mailto', 'www', 'evil', 'пример', 'com', 'de', 'рф', 'example', 'md', 'a', '1'],
      ...[
        '.',
        ':',
        '/',
        '//',
        '://',
        '@',
        '\\',
        '[',
        ']',
        '-',
        '_',
        ' ',
        '。',
        '．',
        '＠',
        '：',
        '\u200d',
        '..',
        '.com',
        '/x',
      ],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const safe = withoutLinks(withoutInvisible(pieces.join('')));
        for (const pattern of linked) expect(safe).not.to.match(pattern);
        expect(withoutLinks(safe)).to.equal(safe);
      }),
      { numRuns: 3_000 },
    );
  });
});
