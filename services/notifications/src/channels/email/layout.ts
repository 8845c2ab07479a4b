import { hasHiddenCharacter, withoutInvisible, withoutLinks } from '@taskwire/text';
import { render, say, written, type Phrase } from '../../app/notifications/phrase.ts';
import type { Mail } from '../../app/notifications/template.ts';

/** A mail ready to be sent. */
export type LaidOutMail = { subject: string; text: string; html: string };

export type LayoutOptions = {
  /** The base URL of links. */
  publicUrl: string;
  /**
   * The recipient's name, if the recipient has verified the address. Other recipients must not get text written by the person who entered their
   * address.
   */
  greeted?: string | undefined;
};

/** RFC 5322 section 2.2.3: a header is one line. */
const notForLines = /[\p{Cc}\p{Zl}\p{Zp}]+/gu;
/** RFC 5322 section 2.1.1 allows lines of 998 characters, but mail programs show far fewer characters of a subject. */
const maxSubjectLength = 150;
/** First strong isolate and pop directional isolate (UAX 9). */
const [isolate, endOfIsolate] = ['\u2068', '\u2069'];
/**
 * Blocks whose characters run right to left unless assigned otherwise:
 * https://www.unicode.org/Public/UCD/latest/ucd/extracted/DerivedBidiClass.txt
 */
const rightToLeft = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * Builds text and HTML from the same content, so that they never differ. This is the only place that makes user-written
 * text (titles, names) safe: it escapes the text, keeps mail clients from finding links in it, and keeps it from
 * changing the direction of the text around it.
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

/**
 * Returns user-written text as one line, without invisible characters or anything that a mail client turns into a
 * link.
 */
export function harmless(text: string): string {
  return withoutLinks(withoutInvisible(text.toWellFormed()).replaceAll(notForLines, ' '));
}

function under(publicUrl: string, path: string): string {
  return new URL(path.replace(/^\//, ''), publicUrl.endsWith('/') ? publicUrl : `${publicUrl}/`).href;
}

const footer = 'Taskwire sent this because it concerns you. Replies to this address are not read.';

function textOf(phrase: Phrase): string {
  return render(phrase, { literal: (text) => text, userWritten: isolated });
}

function htmlOf(phrase: Phrase): string {
  return render(phrase, {
    literal: escapeHtml,
    // with the attribute dir, for clients that don't support the element
    userWritten: (text) => `<bdi dir="auto">${escapeHtml(harmless(text))}</bdi>`,
  });
}

/** Isolates text only if it contains right-to-left characters: in other text, isolates have no effect, and old clients show them as boxes. */
function isolated(text: string): string {
  const safe = harmless(text);
  return rightToLeft.test(text) || hasHiddenCharacter(text) ? `${isolate}${safe}${endOfIsolate}` : safe;
}

function subjectOf(phrase: Phrase): string {
  const subject = textOf(phrase).replaceAll(notForLines, ' ').trim();
  const characters = [...subject];
  if (characters.length <= maxSubjectLength) return subject;
  // leave room for the ellipsis and the end of an isolate
  const cut = characters.slice(0, maxSubjectLength - 2).join('');
  return `${cut}…${cut.lastIndexOf(isolate) > cut.lastIndexOf(endOfIsolate) ? endOfIsolate : ''}`;
}

type HtmlParts = { subject: string; paragraphs: readonly string[]; label: string; href: string };

/** `format-detection` keeps Apple's clients from turning numbers, dates and places into links. */
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

/** Escapes a string for use in text and quoted attributes: https://html.spec.whatwg.org/multipage/syntax.html */
function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
