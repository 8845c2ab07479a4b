import { everyService, grantedScopes, scopesOf, type ClientScopes } from '@taskwire/contracts';
import type { Client, Configuration, KoaContextWithOIDC, ResourceServer } from 'oidc-provider';
import * as errors from 'oidc-provider/lib/helpers/errors.js';
import { sourceOf } from './accounts.ts';

type ResourceIndicators = NonNullable<NonNullable<Configuration['features']>['resourceIndicators']>;

/** The scopes of OpenID Connect: the data about a user that a client may read, and whether it keeps access while the user is absent. */
export const openidScopes = ['openid', 'offline_access', 'profile', 'email'];

/**
 * One audience for each service (RFC 8707), and one resource for all. A client can obtain tokens, as JWTs (RFC 9068), for the resources that it was
 * granted.
 */
export function resourceIndicators(accessTokenSeconds: number): ResourceIndicators {
  return {
    enabled: true,
    /** A client that was granted only one audience doesn't have to name it. */
    defaultResource(ctx, client, oneOf) {
      // if every service is requested, an additional single one has no effect
      if (oneOf !== undefined) return oneOf.includes(everyService) ? everyService : [...oneOf];
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
      const scopes = isItself ? ownScopes(client, resource) : scopesFromSource(ctx, client, resource);
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

/**
 * The same for a token that is issued for a code or refresh token. If these are for every service and the token is for one, the token's scopes are
 * limited to those of every service, because a grant for the single service may have more, such as `admin`, to which the user wasn't asked to
 * consent.
 */
function scopesFromSource(ctx: KoaContextWithOIDC, client: Client, resource: string): readonly string[] | undefined {
  const granted = [sourceOf(ctx)?.resource ?? resource].flat();
  if (granted.includes(resource)) return scopesForUsers(client, resource);
  return scopesForUsers(client, everyService)?.filter((scope) => scopesOf(resource, 'user').includes(scope));
}

function ownScopes(client: Client, audience: string): readonly string[] | undefined {
  return grantedScopes(settingsOf(client), audience, 'service');
}

/** The scopes that a client was granted, which the provider stores with the client's other metadata. */
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
