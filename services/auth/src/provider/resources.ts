import type { Client, Configuration, KoaContextWithOIDC, ResourceServer } from 'oidc-provider';
import * as errors from 'oidc-provider/lib/helpers/errors.js';
import type { RegisteredClient } from '../app/ports.ts';

type ResourceIndicators = NonNullable<NonNullable<Configuration['features']>['resourceIndicators']>;

/** One audience for each service (RFC 8707); a client gets tokens for those that it was granted, as JWTs (RFC 9068). */
export function resourceIndicators(accessTokenSeconds: number): ResourceIndicators {
  return {
    enabled: true,
    /** A client that was granted one audience need not name it. */
    defaultResource(ctx, client, oneOf) {
      if (oneOf !== undefined) return [...oneOf];
      // a user's token without a resource is for userinfo
      if (!isForClientItself(ctx)) return undefined;
      const [only, ...others] = grantsOf(client);
      if (only === undefined || others.length > 0) throw new errors.InvalidTarget('resource must name one audience');
      return only.audience;
    },
    /** A code or refresh token for one audience needs no further word when it is exchanged. */
    useGrantedResource: () => true,
    getResourceServerInfo(ctx, resource, client): ResourceServer {
      const grant = grantsOf(client).find(({ audience }) => audience === resource);
      if (grant === undefined) throw new errors.InvalidTarget('resource must name an audience granted to the client');
      if (isForClientItself(ctx)) settleScope(ctx, grant.scopes);
      return {
        audience: resource,
        scope: grant.scopes.join(' '),
        accessTokenFormat: 'jwt',
        accessTokenTTL: accessTokenSeconds,
        jwt: { sign: { alg: 'ES256' } },
      };
    },
  };
}

/** What a client was granted, which the provider carries along with its other metadata. */
function grantsOf(client: Client): RegisteredClient['grants'] {
  return (client['grants'] ?? []) as RegisteredClient['grants'];
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
