/** The order matters, because most browsers also claim to be one of those further down. */
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

/**
 * Returns the browser behind a User-Agent header, in words that let users recognise their own devices, such as `Firefox on Linux`, or only the system
 * if the browser isn't recognised. The version is omitted, because it could identify a single device, and changes every month.
 */
export function browserOf(userAgent: string): string | undefined {
  const browser = nameIn(browsers, userAgent);
  const system = nameIn(systems, userAgent);
  if (browser === undefined) return system;
  return system === undefined ? browser : `${browser} on ${system}`;
}

/** A program that isn't a browser starts its header with its own name, such as `curl/8.5`. */
const product = /^([A-Za-z][\w.-]{0,39})(?:[/ ]|$)/;

/** Returns the browser, or the name with which another program identifies itself, such as `curl`; null if nothing in the header is recognised. */
export function programOf(userAgent: string | null): string | null {
  if (userAgent === null) return null;
  const program = product.exec(userAgent)?.[1];
  const isProgram = program !== undefined && program !== 'Mozilla' && nameIn(browsers, userAgent) === undefined;
  return isProgram ? program : (browserOf(userAgent) ?? null);
}

function nameIn(names: readonly [string, RegExp][], userAgent: string): string | undefined {
  return names.find(([, pattern]) => pattern.test(userAgent))?.[0];
}
