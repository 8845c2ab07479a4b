import { expect } from 'chai';
import fc from 'fast-check';
import { layOut } from '../src/channels/email/layout.ts';
import { say, written } from '../src/app/notifications/phrase.ts';

const publicUrl = 'https://taskwire.test/app';
const ours = /https:\/\/taskwire\.test\/app\/tasks\/t1/g;

/** Lays out a mail with this user-written text in every place that can contain such text, and removes our own link from the result. */
function mailWith(text: string) {
  const mail = layOut(
    {
      subject: say`Assigned to you: “${written(text)}”`,
      paragraphs: [say`${written(text)} assigned “${written(text)}” to you.`],
      link: { label: 'Open the task', path: '/tasks/t1' },
    },
    { publicUrl, greeted: text },
  );
  const [words, html] = [mail.text.replaceAll(ours, ''), mail.html.replaceAll(ours, '')];
  return { ...mail, words, html, everywhere: [mail.subject, words, html] };
}

describe('The layout of mails', () => {
  for (const text of [
    'https://evil.example/now',
    'Claim at evil.com',
    'ann@evil.test',
    'www.evil.org',
    'ｅｖｉｌ．ｃｏｍ',
    'evil.\u200bcom',
  ]) {
    it(`makes no link from user-written text: ${JSON.stringify(text)}`, () => {
      for (const part of mailWith(text).everywhere) {
        expect(part).not.to.match(/[a-z]:\/\/|www\.|evil\p{Cf}?[.．]\p{Cf}?[cｃeot]|@evil/u);
        expect(part).to.match(/evil|ｅｖｉｌ/);
      }
    });
  }

  it('leaves other text as it was written', () => {
    const { subject, text } = mailWith('Paint the fence (v2.0)');
    expect(subject).to.equal('Assigned to you: “Paint the fence (v2.0)”');
    expect(text).to.include('Paint the fence (v2.0) assigned “Paint the fence (v2.0)” to you.');
  });

  it('isolates right-to-left text, so that it cannot reorder the text around it', () => {
    const { subject, text, html } = mailWith('שרה');
    expect(subject).to.equal('Assigned to you: “\u2068שרה\u2069”');
    expect(text).to.include('\u2068שרה\u2069 assigned “\u2068שרה\u2069” to you.').and.include('Hello \u2068שרה\u2069,');
    expect(html).to.include('<bdi dir="auto">שרה</bdi> assigned “<bdi dir="auto">שרה</bdi>” to you.');
  });

  for (const control of ['\u202e', '\u202b', '\u2066', '\u2067', '\u2068', '\u2069', '\u202c']) {
    it(`removes U+${control.codePointAt(0)?.toString(16)}, and isolates the rest`, () => {
      const { subject, words, html } = mailWith(`a${control}b`);
      expect(subject).to.equal('Assigned to you: “\u2068ab\u2069”');
      expect(words).to.include('\u2068ab\u2069 assigned');
      expect(html).to.include('<bdi dir="auto">ab</bdi> assigned');
    });
  }

  it('closes the isolate of a truncated subject', () => {
    const { subject } = mailWith('שרה'.repeat(60));
    expect([...subject].length).to.be.at.most(150);
    expect(subject.endsWith('…\u2069')).to.equal(true);
  });

  it('balances every isolate, contains no other direction control, and keeps user-written text on its line', () => {
    const unit = fc.constantFrom(
      ...'ab שא.:/@',
      '\u2028',
      '\n',
      '\u0085',
      '\u200b',
      ...'\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069',
    );
    const lines = mailWith('x').text.split('\n').length;
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 200 }), (text) => {
        const { subject, text: words } = mailWith(text);
        for (const part of [subject, words]) {
          expect(part.replaceAll(/\u2068[^\u2066-\u2069]*\u2069/g, '')).not.to.match(
            /[\u202a-\u202e\u2066-\u2069\u2028\u0085]/,
          );
        }
        expect(words.split('\n')).to.have.length(lines);
        expect(subject).not.to.include('\n');
      }),
    );
  });

  it('greets a recipient by name only on request', () => {
    const { text, html } = layOut(
      { subject: 'Verify your e-mail address', paragraphs: ['Please.'], link: { label: 'Verify', path: '/' } },
      { publicUrl },
    );
    expect(text).to.match(/^Hello,\n\nPlease\.\n/);
    expect(html).to.include('<p>Hello,</p>');
  });
});
