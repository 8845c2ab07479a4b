import type { Mail } from './template.ts';

/** A mail as it is sent. */
export type LaidOutMail = { subject: string; text: string; html: string };

/** Headers are lines: RFC 5322 section 2.2.3 and what terminals and right-to-left overrides would make of the rest. */
const notForHeaders = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]+/gu;
/** RFC 5322 section 2.1.1 folds at 998; far before that nobody reads a subject. */
const longestSubject = 150;

/**
 * Text and HTML from the same words, so that they never say different things. Everything that people wrote (titles, names) is escaped
 * here, once: no template makes HTML.
 */
export function layOut(mail: Mail, publicUrl: string): LaidOutMail {
  const href = 'href' in mail.link ? mail.link.href : under(publicUrl, mail.link.path);
  return {
    subject: toSubject(mail.subject),
    text: [...mail.paragraphs, `${mail.link.label}: ${href}`, `-- \n${footer}`].join('\n\n') + '\n',
    html: toHtml(mail, href),
  };
}

function under(publicUrl: string, path: string): string {
  return new URL(path.replace(/^\//, ''), publicUrl.endsWith('/') ? publicUrl : `${publicUrl}/`).href;
}

const footer = 'Taskwire sent this because it concerns you. Answers to this address are not read.';

function toSubject(subject: string): string {
  const line = [...subject.replaceAll(notForHeaders, ' ').trim()];
  return line.length <= longestSubject ? line.join('') : `${line.slice(0, longestSubject - 1).join('')}…`;
}

function toHtml(mail: Mail, href: string): string {
  const paragraphs = mail.paragraphs.map((paragraph) => `    <p>${escapeHtml(paragraph)}</p>`).join('\n');
  return `<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><title>${escapeHtml(toSubject(mail.subject))}</title></head>
  <body style="font-family: sans-serif; line-height: 1.5; max-width: 40em">
${paragraphs}
    <p><a href="${escapeHtml(href)}">${escapeHtml(mail.link.label)}</a></p>
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
