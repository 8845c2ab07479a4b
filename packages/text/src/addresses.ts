import { isTopLevelDomain } from './top-level-domain.ts';

/** Invisible characters are removed before any matching. */
const ignorable = /[\p{Default_Ignorable_Code_Point}\u2800]/gu;

/**
 * Characters that look like those in the second column, although NFKC keeps them distinct:
 * https://www.unicode.org/Public/security/latest/confusables.txt
 */
const lookAlikes: readonly (readonly [RegExp, string])[] = [
  // full stops of other scripts; a middle dot is not included, since names contain it (Gal·la, 约翰·史密斯)
  [/\u{1d16d}|[\u3002\u06d4\u0701\u0702\ua4f8\ua60e\u2e3c\u{10a50}]/gu, '.'],
  [/[\u2044\u2215\u2571\u29f8\u3033\u4e3f]/gu, '/'],
  [/[\u2216\u29f5\u29f9]/gu, '\\'],
  [/[\u02d0\u02f8\u0589\u05c3\u0703\u0704\u16ec\u1803\u1809\u205a\u2236\ua4fd\ua789]/gu, ':'],
  // addresses spelled out for human readers: ann (at) example [dot] com
  [/\s*[([{<]\s*(?:dot|punkt|punto|point|\.)\s*[)\]}>]\s*/giu, '.'],
  [/\s*[([{<]\s*(?:at|ät|@)\s*[)\]}>]\s*/giu, '@'],
  [
    /\s+dot\s+(?=(?:com|net|org|edu|gov|info|biz|io|co|dev|app|xyz|online|site|shop|store|top)(?![\p{L}\p{N}]))/giu,
    '.',
  ],
  // names never contain a space before a full stop
  [/\s+\.\s*/gu, '.'],
];

/** Academic degrees whose second half is also a top-level domain. */
const degrees = /(?<![\p{L}\p{N}.])(?:[BM]\.(?:Sc|Com|Tech)|Dr\.med)(?![\p{L}\p{N}-])/gu;

const at = /@/u;
/** `https://`, `https:/`, `//host` and `\\host`, for any scheme. */
const slashes = /:\s*[/\\]|[/\\]\s?[/\\]/u;
const schemes =
  /(?<![a-z0-9])(?:mailto|tel|sms|facetime|callto|sips?|skype|xmpp|news|file|data|javascript|vbscript|magnet|ftp|https?):/iu;
const www = /(?<![a-z0-9])www\d{0,3}\./iu;
const punycode = /(?<![a-z0-9])xn--/iu;
const ipv4 = /(?<!\d)\d{1,3}(?:\.\d{1,3}){3}(?!\d)/u;
const port = /[\p{L}\]]:\d/u;
/** Labels separated by full stops, without spaces. */
const dotted = /[\p{L}\p{N}][\p{L}\p{M}\p{N}_-]*(?:\.[\p{L}\p{N}][\p{L}\p{M}\p{N}_-]*)+/gu;

/**
 * Whether a single-line text contains anything that looks like a web or e-mail address: `@`, a scheme, `www.`, a domain, an IP address, or such an
 * address disguised with look-alike characters or spelled out in words. Initials and abbreviations (`J.R.R. Tolkien`, `Mr.Smith`) do not count,
 * unless the part after the full stop is a top-level domain.
 */
export function hasAddress(text: string): boolean {
  const plain = lookAlikes.reduce(
    (read, [looks, is]) => read.replaceAll(looks, is),
    text.normalize('NFKC').replaceAll(ignorable, ''),
  );
  if ([at, slashes, schemes, www, punycode, ipv4, port].some((pattern) => pattern.test(plain))) return true;
  return (plain.replaceAll(degrees, '').match(dotted) ?? []).some(isDomain);
}

function isDomain(name: string): boolean {
  const labels = name.split('.');
  return hasTopLevelDomain(labels) || isSpelledAsDomain(name, labels);
}

/**
 * Whether any label after a full stop is a top-level domain: because text may continue without a space, as in `example.com.Now` or `example.com-now`.
 */
export function hasTopLevelDomain(labels: readonly string[]): boolean {
  return labels.slice(1).some((label) => isTopLevelDomain(label) || isTopLevelDomain(/^[^_-]*/.exec(label)?.[0] ?? ''));
}

/**
 * Whether a name is entirely in lower case and has labels of at least two letters on both sides of a full stop. Detects top-level domains newer than the
 * list.
 */
function isSpelledAsDomain(name: string, labels: readonly string[]): boolean {
  const isLong = (label: string | undefined) => (label?.match(/\p{L}/gu)?.length ?? 0) >= 2;
  const isLowerCase = name === name.toLowerCase() && name !== name.toUpperCase();
  return isLowerCase && labels.some((label, i) => isLong(label) && isLong(labels[i + 1]));
}
