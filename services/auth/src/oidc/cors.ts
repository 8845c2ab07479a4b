import type { Client, KoaContextWithOIDC } from 'oidc-provider';
import type { Logger } from '@taskwire/telemetry';

/**
 * Decides which pages may read responses of the endpoints that scripts call (token, userinfo, revocation, introspection): our own, those of
 * `corsOrigins`, and the origins of the client's redirect URIs, where its responses go anyway. All others are refused before a page that couldn't
 * read the response consumes a code or refresh token. Credentials are never allowed, so a page only gets what it has a token or code for.
 */
export function clientBasedCors(options: { issuer: string; corsOrigins: readonly string[]; logger: Logger }) {
  const everyClient = new Set([new URL(options.issuer).origin, ...options.corsOrigins]);
  return (_ctx: KoaContextWithOIDC, origin: string, client: Client): boolean => {
    const isAllowed =
      everyClient.has(origin) || (client.redirectUris ?? []).some((uri) => isOriginOf(uri, origin, client));
    if (!isAllowed) {
      // the page's own console only says that the response can't be read
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
  // a native client may receive responses on any port of the machine (RFC 8252 section 7.3), so its pages may be on any port too
  const isAnyPort = client.applicationType === 'native' && registered.protocol === 'http:';
  return isAnyPort && calling.protocol === 'http:' && registered.hostname === calling.hostname;
}
