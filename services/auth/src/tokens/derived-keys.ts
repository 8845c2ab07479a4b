import { hkdfSync } from 'node:crypto';

/** Derives a 256-bit key for one purpose (RFC 5869): a leaked key reveals nothing about the other keys or the secret. */
export function derivedKey(
  secret: Buffer,
  purpose: 'cookies' | 'forms' | 'refresh tokens' | 'account links' | 'devices' | 'known networks' | 'rate limits',
): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `taskwire auth ${purpose}`, 32));
}
