import { createHash } from 'node:crypto';

/** Text that is already HTML. */
export type Html = { readonly html: string };

type Value = string | number | Html | readonly Html[] | undefined;

/** A link leading on from a page. */
export type NextStep = { href: string; text: string };

/** Builds HTML from a template. Values are escaped unless this function created them. */
export function html(parts: TemplateStringsArray, ...values: Value[]): Html {
  return { html: parts.reduce((text, part, index) => text + toHtml(values[index - 1]) + part) };
}

function toHtml(value: Value): string {
  if (value === undefined) return '';
  if (typeof value === 'string' || typeof value === 'number') return escape(String(value));
  return 'html' in value ? value.html : value.map((one) => one.html).join('');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? '');
}

// Colours have a contrast of at least 4.5:1 to their background (WCAG 2.2, 1.4.3), in light and dark mode. Fields and buttons are at least 44 px high
// (2.5.5). No text is smaller than 16 px, because phones zoom in on smaller fields when they get the focus.
const style = `
:root { color-scheme: light dark; --ground: #f4f5f7; --sheet: #fff; --text: #1b1f24; --quiet: #57606a; --line: #8c959f; --strong: #0b57d0;
  --on-strong: #fff; --bad: #b3261e; --bad-ground: #fceeee }
@media (prefers-color-scheme: dark) { :root { --ground: #0d1117; --sheet: #161b22; --text: #e6edf3; --quiet: #9da7b3; --line: #6e7681;
  --strong: #8ab4f8; --on-strong: #10233f; --bad: #ffb4ab; --bad-ground: #3a1515 } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--ground); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif }
main { width: 100%; max-width: 26rem; padding: 1.5rem; background: var(--sheet); border: 1px solid var(--line); border-radius: .75rem;
  overflow-wrap: anywhere }
h1 { margin: 0 0 .5rem; font-size: 1.5rem; line-height: 1.25 }
p, ul { margin: 0 0 1rem } ul { padding-left: 1.25rem } .quiet { color: var(--quiet) }
label { display: block; font-weight: 600; margin-top: 1rem }
input { width: 100%; min-height: 2.75rem; padding: .5rem .75rem; margin-top: .25rem; font: inherit; color: inherit; background: transparent;
  border: 1px solid var(--line); border-radius: .375rem }
input[aria-invalid=true] { border: 2px solid var(--bad) }
.error { padding: .75rem; margin: 1rem 0 0; border-left: .25rem solid var(--bad); background: var(--bad-ground); color: var(--bad) }
.warning { padding: .75rem; margin: 0 0 1rem; border: 2px solid var(--bad); border-radius: .375rem; background: var(--bad-ground) }
.warning h2 { margin: 0 0 .5rem; font-size: 1.125rem; line-height: 1.25; color: var(--bad) } .warning p { margin: 0 }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.5rem }
button { flex: 1 1 8rem; min-height: 2.75rem; padding: .5rem 1rem; font: inherit; font-weight: 600; cursor: pointer; border-radius: .375rem;
  border: 1px solid var(--strong); background: var(--strong); color: var(--on-strong) }
a { color: var(--strong) }
.next { margin: .75rem 0 0 } .next a { display: inline-block; padding: .6rem 0 }
button.second { background: transparent; color: var(--strong) }
:focus-visible { outline: 3px solid var(--strong); outline-offset: 2px }
`;

/** A whole page; `head` is added to the usual content of its head. */
export function page(title: string, content: Html, head: Html = html``): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)} – Taskwire</title>
<style>${style}</style>
${head.html}
</head>
<body>
<main>
${content.html}
</main>
</body>
</html>
`;
}

/**
 * The content security policy of a page: it may show itself and send its forms to us. `leadsTo` lists the URLs that the response to a form may
 * redirect to, since browsers apply form-action to redirects too.
 */
export function contentSecurityPolicy(...leadsTo: (string | undefined)[]): string {
  const targets = leadsTo.flatMap((address) => source(address) ?? []);
  return [
    "default-src 'none'",
    `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
    `form-action 'self'${[...new Set(targets)].map((target) => ` ${target}`).join('')}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

/** Returns a URL as a policy source: its origin, or the scheme if it is an app's custom scheme. */
function source(address: string | undefined): string | undefined {
  const url = address === undefined ? null : URL.parse(address);
  if (url === null) return undefined;
  return url.origin === 'null' ? url.protocol : url.origin;
}

/** Headers of every page. The same-origin referrer policy makes the browser send its Origin with forms to us, and to no other site. */
export function pageHeaders(...leadsTo: (string | undefined)[]): Record<string, string> {
  return {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': contentSecurityPolicy(...leadsTo),
    'Referrer-Policy': 'same-origin',
    'Cache-Control': 'no-store',
  };
}
