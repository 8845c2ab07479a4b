import { randomUUID, type KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';

/**
 * Authenticates a client to the token endpoint: returns the headers and form parameters to add to a token request. It is called for each request,
 * because an assertion (`private_key_jwt`, RFC 7523) can be used only once. `aheadMs`: how far the clock of the server is ahead of ours, as far as known.
 */
export type ClientAuthentication = (
  tokenUrl: string,
  aheadMs?: number,
) => Promise<{ headers?: Readonly<Record<string, string>>; parameters?: Readonly<Record<string, string>> }>;

/** `client_secret_basic`: id and secret are form-encoded before they become Basic credentials (RFC 6749 section 2.3.1). */
export function clientSecretBasic(clientId: string, clientSecret: string): ClientAuthentication {
  const credentials = Buffer.from(`${formEncoded(clientId)}:${formEncoded(clientSecret)}`).toString('base64');
  return async () => ({ headers: { authorization: `Basic ${credentials}` } });
}

/** The lifetime of an assertion, in seconds. Assertions are used at once. */
const assertionSeconds = 60;

/**
 * `private_key_jwt` (RFC 7523 section 2.2, OpenID Connect Core section 9): neither the data that is sent nor the data that Auth stores allows anyone
 * else to impersonate this client. The only audience is the issuer, so that no other server can reuse an assertion sent to it.
 * @throws when the key is neither P-256 nor Ed25519.
 */
export function privateKeyJwt(client: {
  clientId: string;
  issuer: string;
  privateKey: KeyObject;
}): ClientAuthentication {
  const { clientId, issuer, privateKey } = client;
  const alg = algorithmOf(privateKey);
  return async (_tokenUrl, aheadMs = 0) => {
    const now = Math.floor((Date.now() + aheadMs) / 1000);
    const assertion = await new SignJWT()
      .setProtectedHeader({ alg, typ: 'JWT' })
      .setIssuer(clientId)
      .setSubject(clientId)
      .setAudience(issuer)
      .setJti(randomUUID())
      .setIssuedAt(now)
      .setExpirationTime(now + assertionSeconds)
      .sign(privateKey);
    return {
      parameters: {
        client_id: clientId,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
      },
    };
  };
}

function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string {
  if (asymmetricKeyType === 'ed25519') return 'EdDSA';
  if (asymmetricKeyDetails?.namedCurve === 'prime256v1') return 'ES256';
  throw new Error('the private key of a client must be of P-256 or Ed25519');
}

function formEncoded(text: string): string {
  return new URLSearchParams({ v: text }).toString().slice('v='.length);
}
