import { isIPv4, isIPv6 } from 'node:net';
import type { RequestedBy } from './account-links.ts';
import type { AuditActor, Origin } from './audit.ts';

/** Ordered from specific to general, because some browsers also claim to be another one of these. */
const browsers = [
  [/\bEdgA?\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\b(Firefox|FxiOS)\//, 'Firefox'],
  [/\b(Chrome|CriOS)\//, 'Chrome'],
  [/\bVersion\/[\d.]+ .*Safari\//, 'Safari'],
] as const;
const systems = [
  [/\bAndroid\b/, 'Android'],
  [/\b(iPhone|iPad|iPod)\b/, 'iOS'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b/, 'macOS'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bLinux\b/, 'Linux'],
] as const;

/**
 * The part of a request's origin that a mail may show: the network without the part that identifies a household (IPv4 /24, IPv6 /48), and the browser
 * as one of the names above. The header itself is caller-controlled text and never reaches a mailbox.
 */
export function shownOrigin({ ip, userAgent }: Pick<Origin, 'ip' | 'userAgent'>): {
  network: string | null;
  browser: string | null;
} {
  return { network: shownNetwork(ip ?? ''), browser: shownBrowser(userAgent ?? '') };
}

function shownNetwork(ip: string): string | null {
  const address = ip.replace(/^::ffff:(?=\d+\.)/i, '');
  if (isIPv4(address)) return `${address.split('.').slice(0, 3).join('.')}.0/24`;
  if (!isIPv6(address)) return null;
  const [head = ''] = address.split('::');
  const groups = [...head.split(':').filter(Boolean), '0', '0', '0'].slice(0, 3);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/48`;
}

function shownBrowser(userAgent: string): string | null {
  const browser = browsers.find(([pattern]) => pattern.test(userAgent))?.[1];
  const system = systems.find(([pattern]) => pattern.test(userAgent))?.[1];
  if (browser === undefined) return system ?? null;
  return system === undefined ? browser : `${browser} on ${system}`;
}

/** The requester of a mail for an account: its own user, an admin, or a caller who isn't logged in. */
export function requesterOf(actor: AuditActor | null, userId: string): RequestedBy {
  if (actor === null) return 'anyone';
  return actor.kind === 'user' && actor.id === userId ? 'account_holder' : 'admin';
}
