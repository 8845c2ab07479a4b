import type { Client, KoaContextWithOIDC } from 'oidc-provider';
import type { Logger } from '@taskwire/telemetry';

/**
 * Decides which pages may read responses of the endpoints that scripts call (token, userinfo, revocation, introspection): our own, pages of
 * `corsOrigins`, and pages at the origins of the client's redirect URIs, which receive its responses anyway. Requests from all other pages are
 * refused before they consume a code or refresh token, because such a page couldn't read the response. Credentials are never allowed, so a page only
 * gets data for which it has a token or code.
 */
export function clientBasedCors(options: { issuer: string; corsOrigins: readonly string[]; logger: Logger }) {
  const everyClient = new Set([new URL(options.issuer).origin, ...options.corsOrigins]);
  return (_ctx: KoaContextWithOIDC, origin: string, client: Client): boolean => {
    const isAllowed =
      everyClient.has(origin) || (client.redirectUris ?? []).some((uri) => isOriginOf(uri, origin, client));
    if (!isAllowed) {
      // the browser's console only reports that the response can't be read
      options.logger.warn(
        "a page was refused: its origin is neither in CORS_ORIGINS nor the origin of one of the client's redirect URIs",
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
  // a URL with a custom scheme has the origin "null", and so does every sandboxed page
  if (registered === null || calling === null || registered.origin === 'null' || calling.origin !== origin)
    return false;
  if (registered.origin === calling.origin) return true;
  // a native client may receive responses on any port of the machine (RFC 8252 section 7.3), so the client's pages may also be on any port
  const isAnyPort = client.applicationType === 'native' && registered.protocol === 'http:';
  return isAnyPort && calling.protocol === 'http:' && registered.hostname === calling.hostname;
}
