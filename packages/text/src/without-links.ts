import { hasTopLevelDomain } from './addresses.ts';

// an ideographic full stop usually ends a sentence; it counts as the dot of a domain only before letters that do not begin a sentence in the scripts
// that use this full stop
const dot = String.raw`(?:[.\uff0e\ufe52\u2024]|[\u3002\uff61](?=[\p{Script=Latin}\p{N}]))`;
const colon = String.raw`[:\uff1a\ufe55]`;
const label = String.raw`[\p{L}\p{M}\p{N}_-]+`;

/** `ann@example.com`, including at signs of another width. */
const at = /(?<=[^\s[])[@\uff20\ufe6b](?=\S)/gu;
/** `https://`, and `\\server`, which Outlook turns into a link. */
const scheme = new RegExp(String.raw`${colon}(?=[/\\\uff0f\uff3c\u2044\u2215])`, 'gu');
const share = /[\\\uff3c]{2}(?=[\p{L}\p{N}])/gu;
/** Schemes that clients turn into links even without slashes. */
const bareScheme = new RegExp(
  String.raw`(?<![a-z0-9])(mailto|tel|sms|facetime|callto|sips?|skype|xmpp|news|file|data|javascript|vbscript|magnet)${colon}(?=\S)`,
  'giu',
);
const www = new RegExp(String.raw`(?<![a-z0-9])(www\d{0,3})${dot}(?=\S)`, 'giu');
const dots = new RegExp(dot, 'gu');
const dotted = new RegExp(String.raw`${label}(?:${dot}${label})+`, 'gu');
/** The part of an address after the host. */
const pathOrPort = /^(?:[/\\]|[?#][\p{L}\p{N}]|:\d)/u;

/**
 * Returns the text without anything that a mail client turns into a link: `https://example.com` becomes `https[:]//example[.]com`. The change is
 * visible, because clients differ in the invisible characters that they ignore, and spam filters penalise such characters. Other full stops remain:
 * `v2.0`, `report.pdf`. Remove invisible characters first (`withoutInvisible`): some clients ignore them.
 */
export function withoutLinks(text: string): string {
  return text
    .replaceAll(dotted, (name, offset: number, whole: string) => {
      const labels = name.split(dots);
      const isHost =
        pathOrPort.test(whole.slice(offset + name.length)) && (isIpv4(labels) || /\p{L}/u.test(labels.at(-1) ?? ''));
      return isHost || hasTopLevelDomain(labels) || hasTopLevelDomain(labels.map(asciiStart))
        ? name.replaceAll(dots, '[.]')
        : name;
    })
    .replaceAll(www, '$1[.]')
    .replaceAll(bareScheme, '$1[:]')
    .replaceAll(scheme, '[:]')
    .replaceAll(share, String.raw`[\\]`)
    .replaceAll(at, '[@]');
}

function isIpv4(labels: readonly string[]): boolean {
  return labels.length === 4 && labels.every((one) => /^\d{1,3}$/.test(one));
}

/** Some clients recognize only ASCII letters, and treat any other letter as a word boundary: `evil.com` in `evil.comé`. */
function asciiStart(label: string): string {
  return /^[a-z]*/i.exec(label)?.[0] ?? '';
}
