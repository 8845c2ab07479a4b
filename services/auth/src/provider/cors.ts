import type { Client, KoaContextWithOIDC } from 'oidc-provider';
import type { Logger } from '@taskwire/telemetry';

/**
 * Which pages may read answers of the endpoints that scripts call (token, userinfo, revocation, introspection): our own, those of `corsOrigins`, and
 * those that the client's answers go to anyway, its redirect URIs. Anything else is refused before a code or refresh token is used up by a page
 * that could not read what it got for it. Cookies are never allowed along, so a page only gets what it has a token or code for.
 */
export function clientBasedCors(options: { issuer: string; corsOrigins: readonly string[]; logger: Logger }) {
  const everyClient = new Set([new URL(options.issuer).origin, ...options.corsOrigins]);
  return (_ctx: KoaContextWithOIDC, origin: string, client: Client): boolean => {
    const isAllowed =
      everyClient.has(origin) || (client.redirectUris ?? []).some((uri) => isOriginOf(uri, origin, client));
    if (!isAllowed) {
      // its own console says no more than that the answer cannot be read
      options.logger.warn(
        'a page was refused: its origin is neither in CORS_ORIGINS nor that of a redirect URI of the client',
        {
          ...{ origin: origin.slice(0, 300), client: client.clientId },
        },
      );
    }
    return isAllowed;
  };
}

function isOriginOf(redirectUri: string, origin: string, client: Client): boolean {
  const [registered, calling] = [URL.parse(redirectUri), URL.parse(origin)];
  // an address with a scheme of its own has the origin "null", as have sandboxed pages of everybody
  if (registered === null || calling === null || registered.origin === 'null' || calling.origin !== origin)
    return false;
  if (registered.origin === calling.origin) return true;
  // a native client may answer at any port of the machine (RFC 8252 section 7.3), so its pages are there too
  const isAnyPort = client.applicationType === 'native' && registered.protocol === 'http:';
  return isAnyPort && calling.protocol === 'http:' && registered.hostname === calling.hostname;
}
