import { hkdfSync } from 'node:crypto';

/** A key of 256 bits for one purpose (RFC 5869): what leaks of one says nothing of the others, or of the secret. */
export function derivedKey(
  secret: Buffer,
  purpose: 'cookies' | 'forms' | 'refresh tokens' | 'account links' | 'devices' | 'known networks' | 'rate limits',
): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `taskwire auth ${purpose}`, 32));
}
