import { hasHiddenCharacter, withoutInvisible, withoutLinks } from '@taskwire/text';
import { render, say, written, type Phrase } from './phrase.ts';
import type { Mail } from './template.ts';

/** A mail as it is sent. */
export type LaidOutMail = { subject: string; text: string; html: string };

export type LayoutOptions = {
  /** Where links lead to. */
  publicUrl: string;
  /** The name of who the mail is for, if they have shown that the address is theirs. Anybody else gets no text of whoever gave their address. */
  greeted?: string | undefined;
};

/** RFC 5322 section 2.2.3: a header is one line. */
const notForLines = /[\p{Cc}\p{Zl}\p{Zp}]+/gu;
/** RFC 5322 section 2.1.1 folds at 998; far before that nobody reads a subject. */
const longestSubject = 150;
/** First strong isolate, and its end (UAX 9). */
const [isolate, endOfIsolate] = ['\u2068', '\u2069'];
/** The blocks whose characters run from right to left unless assigned otherwise: https://www.unicode.org/Public/UCD/latest/ucd/extracted/DerivedBidiClass.txt */
const rightToLeft = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * Text and HTML from the same words, so that they never say different things. Everything that people wrote (titles, names) is made safe here, once: it is
 * escaped, mail clients find no link in it, and it cannot change the direction of what stands around it.
 */
export function layOut(mail: Mail, { publicUrl, greeted }: LayoutOptions): LaidOutMail {
  const href = 'href' in mail.link ? mail.link.href : under(publicUrl, mail.link.path);
  const paragraphs = [greeted === undefined ? 'Hello,' : say`Hello ${written(greeted)},`, ...mail.paragraphs];
  const subject = subjectOf(mail.subject);
  return {
    subject,
    text: [...paragraphs.map(textOf), `${mail.link.label}: ${href}`, `-- \n${footer}`].join('\n\n') + '\n',
    html: toHtml({ subject, paragraphs: paragraphs.map(htmlOf), label: mail.link.label, href }),
  };
}

/** What a person wrote in one line, without what hides, and without anything that a mail client turns into a link. */
export function harmless(text: string): string {
  return withoutLinks(withoutInvisible(text.toWellFormed()).replaceAll(notForLines, ' '));
}

function under(publicUrl: string, path: string): string {
  return new URL(path.replace(/^\//, ''), publicUrl.endsWith('/') ? publicUrl : `${publicUrl}/`).href;
}

const footer = 'Taskwire sent this because it concerns you. Replies to this address are not read.';

function textOf(phrase: Phrase): string {
  return render(phrase, { words: (text) => text, written: isolated });
}

function htmlOf(phrase: Phrase): string {
  return render(phrase, {
    words: escapeHtml,
    // dir too, for clients that do not know the element
    written: (text) => `<bdi dir="auto">${escapeHtml(harmless(text))}</bdi>`,
  });
}

/** Isolates only change what is read where something runs from right to left, and old clients show them as boxes, so other text goes without. */
function isolated(text: string): string {
  const safe = harmless(text);
  return rightToLeft.test(text) || hasHiddenCharacter(text) ? `${isolate}${safe}${endOfIsolate}` : safe;
}

function subjectOf(phrase: Phrase): string {
  const subject = textOf(phrase).replaceAll(notForLines, ' ').trim();
  const characters = [...subject];
  if (characters.length <= longestSubject) return subject;
  // room for the ellipsis and the end of an isolate
  const cut = characters.slice(0, longestSubject - 2).join('');
  return `${cut}…${cut.lastIndexOf(isolate) > cut.lastIndexOf(endOfIsolate) ? endOfIsolate : ''}`;
}

type HtmlParts = { subject: string; paragraphs: readonly string[]; label: string; href: string };

/** `format-detection`: clients of Apple make no links of numbers, dates and places either. */
function toHtml({ subject, paragraphs, label, href }: HtmlParts): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="format-detection" content="telephone=no, date=no, address=no, email=no, url=no">
    <title>${escapeHtml(subject)}</title>
  </head>
  <body style="font-family: sans-serif; line-height: 1.5; max-width: 40em">
${paragraphs.map((paragraph) => `    <p>${paragraph}</p>`).join('\n')}
    <p><a href="${escapeHtml(href)}">${escapeHtml(label)}</a></p>
    <p style="color: #666; font-size: small">${footer}</p>
  </body>
</html>
`;
}

/** For text and for quoted attributes: https://html.spec.whatwg.org/multipage/syntax.html */
function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
