import { grantedScopes, type ClientScopes } from '@taskwire/contracts';
import type { Client, Configuration, KoaContextWithOIDC, ResourceServer } from 'oidc-provider';
import * as errors from 'oidc-provider/lib/helpers/errors.js';

type ResourceIndicators = NonNullable<NonNullable<Configuration['features']>['resourceIndicators']>;

/** The scopes of OpenID Connect: what a client may know of a person, and whether it may go on without them. */
export const openidScopes = ['openid', 'offline_access', 'profile', 'email'];

/** One audience for each service (RFC 8707); a client gets tokens for those that it was granted, as JWTs (RFC 9068). */
export function resourceIndicators(accessTokenSeconds: number): ResourceIndicators {
  return {
    enabled: true,
    /** A client that was granted one audience need not name it. */
    defaultResource(ctx, client, oneOf) {
      if (oneOf !== undefined) return [...oneOf];
      // a user's token without a resource is for userinfo
      if (!isForClientItself(ctx)) return undefined;
      const own = settingsOf(client).grants.filter(({ audience }) => ownScopes(client, audience) !== undefined);
      const [only, ...others] = own;
      if (only === undefined || others.length > 0) throw new errors.InvalidTarget('resource must name one audience');
      return only.audience;
    },
    /** A code or refresh token for one audience needs no further word when it is exchanged. */
    useGrantedResource: () => true,
    getResourceServerInfo(ctx, resource, client): ResourceServer {
      const isItself = isForClientItself(ctx);
      const scopes = isItself ? ownScopes(client, resource) : scopesForUsers(client, resource);
      if (scopes === undefined) throw new errors.InvalidTarget('resource must name an audience granted to the client');
      if (isItself) settleScope(ctx, scopes);
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

/** The scopes of an audience that a client may ask users for; undefined when it may ask for none. */
export function scopesForUsers(client: Client, audience: string): readonly string[] | undefined {
  return grantedScopes(settingsOf(client), audience, 'user');
}

function ownScopes(client: Client, audience: string): readonly string[] | undefined {
  return grantedScopes(settingsOf(client), audience, 'service');
}

/** What a client was granted, which the provider carries along with its other metadata. */
function settingsOf(client: Client): ClientScopes {
  return { grants: (client['grants'] ?? []) as ClientScopes['grants'], grant_types: client.grantTypes ?? [] };
}

function isForClientItself(ctx: KoaContextWithOIDC): boolean {
  return ctx.oidc.params?.['grant_type'] === 'client_credentials';
}

/** RFC 6749 section 3.3: without a scope, all that were granted; with one that was not granted, none. */
function settleScope(ctx: KoaContextWithOIDC, granted: readonly string[]): void {
  const { params } = ctx.oidc;
  if (params === undefined) return;
  if (params['scope'] === undefined) {
    if (granted.length > 0) params['scope'] = granted.join(' ');
    return;
  }
  const refused = [...ctx.oidc.requestParamScopes].find((scope) => scope !== '' && !granted.includes(scope));
  if (refused !== undefined) throw new errors.InvalidScope('requested scope is not granted for this resource', refused);
}
