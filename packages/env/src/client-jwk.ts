import { createPublicKey } from 'node:crypto';
import { z } from 'zod';

/** Members of a JWK that a public key must not have (RFC 7518 section 6). */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** The minimum size of an RSA modulus in bits. NIST SP 800-131A: 112 bits of security. */
const smallestModulus = 2_048;

/** Returns the signature algorithm of a key, among those that Auth accepts from clients; undefined for any other key. */
function algorithmOf(jwk: Readonly<Record<string, unknown>>): string | undefined {
  if (jwk['kty'] === 'EC' && jwk['crv'] === 'P-256') return 'ES256';
  if (jwk['kty'] === 'OKP' && jwk['crv'] === 'Ed25519') return 'Ed25519';
  return jwk['kty'] === 'RSA' ? 'PS256' : undefined;
}

function faultOf(jwk: Readonly<Record<string, unknown>>): string | undefined {
  if (privateMembers.some((member) => member in jwk)) {
    return 'contains private or secret key material; provide only a public key, and treat this key as compromised';
  }
  const algorithm = algorithmOf(jwk);
  if (algorithm === undefined) return 'must be a public key for ES256 (EC, P-256), Ed25519 (OKP) or PS256 (RSA)';
  if (jwk['use'] !== undefined && jwk['use'] !== 'sig')
    return 'is not for signatures: "use" must be "sig", or be omitted';
  const operations = jwk['key_ops'];
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    return 'is not for signatures: "key_ops" must have "verify", or be omitted';
  }
  // RFC 9864 gives Ed25519 its own name; EdDSA is the previous one
  const names = algorithm === 'Ed25519' ? ['Ed25519', 'EdDSA'] : [algorithm];
  if (jwk['alg'] !== undefined && !names.includes(String(jwk['alg']))) {
    return `has "alg" ${String(jwk['alg'])}; it must be ${names.join(' or ')}, or be omitted`;
  }
  try {
    const details = createPublicKey({ key: jwk, format: 'jwk' }).asymmetricKeyDetails;
    const bits = details?.modulusLength ?? smallestModulus;
    return bits < smallestModulus ? `has ${bits} bits; an RSA key needs ${smallestModulus}` : undefined;
  } catch {
    return `is not a key: its members do not form a public key for ${algorithm}`;
  }
}

/** The public key of the key pair with which a client of Auth signs its assertions, as a JWK (RFC 7517). */
const clientJwk = z.looseObject({ kty: z.string(), kid: z.string().optional() }).superRefine((jwk, context) => {
  const message = faultOf(jwk);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});

/** The public keys of a client (RFC 7517 section 5). */
export const clientJwks = z.strictObject({ keys: z.array(clientJwk).min(1, 'must have a key') });
