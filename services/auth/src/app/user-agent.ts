/** Patterns that only the browser itself matches; most browsers also claim to be those further down. */
const browsers: readonly [string, RegExp][] = [
  ['Edge', /\bEdg(?:e|A|iOS)?\//],
  ['Opera', /\bOPR\//],
  ['Samsung Internet', /\bSamsungBrowser\//],
  ['Firefox', /\b(?:Firefox|FxiOS)\//],
  ['Chrome', /\b(?:(?:Headless)?Chrome|CriOS|Chromium)\//],
  ['Safari', /\bVersion\/[\d.]+ .*Safari\//],
];

const systems: readonly [string, RegExp][] = [
  ['Android', /\bAndroid\b/],
  ['iOS', /\b(?:iPhone|iPad|iPod)\b/],
  ['Windows', /\bWindows\b/],
  ['ChromeOS', /\bCrOS\b/],
  ['macOS', /\bMac(?:intosh| OS X)\b/],
  ['Linux', /\bLinux\b/],
];

/** A program that isn't a browser names itself first, such as `curl/8.5`. */
const product = /^([A-Za-z][\w.-]{0,39})(?:[/ ]|$)/;

/**
 * The kind of program behind a User-Agent header, in words by which users recognise their own devices: `Firefox on Linux`, `curl`. Null if nothing in
 * the header is recognised. The version is omitted: it would single a device out, and it changes every month.
 */
export function programOf(userAgent: string | null): string | null {
  if (userAgent === null) return null;
  const browser = nameIn(browsers, userAgent);
  const system = nameIn(systems, userAgent);
  if (browser !== undefined) return system === undefined ? browser : `${browser} on ${system}`;
  const program = product.exec(userAgent)?.[1];
  return program === undefined || program === 'Mozilla' ? (system ?? null) : program;
}

function nameIn(names: readonly [string, RegExp][], userAgent: string): string | undefined {
  return names.find(([, pattern]) => pattern.test(userAgent))?.[0];
}
