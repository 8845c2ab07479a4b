import { grantedScopes, type ClientScopes } from '@taskwire/contracts';
import type { Client, Configuration, KoaContextWithOIDC, ResourceServer } from 'oidc-provider';
import * as errors from 'oidc-provider/lib/helpers/errors.js';

type ResourceIndicators = NonNullable<NonNullable<Configuration['features']>['resourceIndicators']>;

/** The scopes of OpenID Connect: what a client may know about a user, and whether it may continue without them. */
export const openidScopes = ['openid', 'offline_access', 'profile', 'email'];

/** One audience for each service (RFC 8707). A client obtains tokens for the audiences it was granted, as JWTs (RFC 9068). */
export function resourceIndicators(accessTokenSeconds: number): ResourceIndicators {
  return {
    enabled: true,
    /** A client that was granted one audience doesn't have to name it. */
    defaultResource(ctx, client, oneOf) {
      if (oneOf !== undefined) return [...oneOf];
      // a user's token without a resource is for userinfo
      if (!isForClientItself(ctx)) return undefined;
      const own = settingsOf(client).grants.filter(({ audience }) => ownScopes(client, audience) !== undefined);
      const [only, ...others] = own;
      if (only === undefined || others.length > 0) throw new errors.InvalidTarget('resource must name one audience');
      return only.audience;
    },
    /** A code or refresh token for one audience can be exchanged without naming it again. */
    useGrantedResource: () => true,
    getResourceServerInfo(ctx, resource, client): ResourceServer {
      const isItself = isForClientItself(ctx);
      const scopes = isItself ? ownScopes(client, resource) : scopesForUsers(client, resource);
      if (scopes === undefined) throw new errors.InvalidTarget('resource must name an audience granted to the client');
      if (isItself) fixScope(ctx, scopes);
      return {
        audience: resource,
        scope: scopes.join(' '),
        accessTokenFormat: 'jwt',
        accessTokenTTL: accessTokenSeconds,
        jwt: { sign: { alg: 'ES256' } },
      };
    },
  };
}

/** Returns the scopes of an audience that a client may request from users; undefined if there are none. */
export function scopesForUsers(client: Client, audience: string): readonly string[] | undefined {
  return grantedScopes(settingsOf(client), audience, 'user');
}

function ownScopes(client: Client, audience: string): readonly string[] | undefined {
  return grantedScopes(settingsOf(client), audience, 'service');
}

/** The scopes that a client was granted, which the provider keeps with its other metadata. */
function settingsOf(client: Client): ClientScopes {
  return { grants: (client['grants'] ?? []) as ClientScopes['grants'], grant_types: client.grantTypes ?? [] };
}

function isForClientItself(ctx: KoaContextWithOIDC): boolean {
  return ctx.oidc.params?.['grant_type'] === 'client_credentials';
}

/** RFC 6749 section 3.3: a request without a scope gets all granted scopes; a request with a scope that wasn't granted gets none. */
function fixScope(ctx: KoaContextWithOIDC, granted: readonly string[]): void {
  const { params } = ctx.oidc;
  if (params === undefined) return;
  if (params['scope'] === undefined) {
    if (granted.length > 0) params['scope'] = granted.join(' ');
    return;
  }
  const refused = [...ctx.oidc.requestParamScopes].find((scope) => scope !== '' && !granted.includes(scope));
  if (refused !== undefined) throw new errors.InvalidScope('requested scope is not granted for this resource', refused);
}
