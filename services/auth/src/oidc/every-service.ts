import { audiencesOf, everyService, scopesOf } from '@taskwire/contracts';
import type { Provider } from 'oidc-provider';

type Sourced = { resource?: string | readonly string[] | undefined };

/**
 * Lets the provider treat `everyService` as the sum of the services. Consents are stored by service only, so users see and end them as before, and a
 * consent to every service also covers a request for one. A code or refresh token for every service can be exchanged for a token for one of them (RFC
 * 8707 section 2.2).
 */
export function acceptEveryService(provider: Provider): void {
  const { getResourceScope } = provider.Grant.prototype;
  Object.assign(provider.Grant.prototype, {
    getResourceScope(this: object, resource: string): string {
      const scopeOf = (audience: string) => getResourceScope.call(this, audience);
      return resource === everyService ? sharedScope(scopeOf) : scopeOf(resource);
    },
  });
  for (const { prototype } of [provider.AuthorizationCode, provider.RefreshToken]) {
    Object.defineProperty(prototype, 'resourceIndicators', {
      get(this: Sourced): Set<string> {
        const granted = [this.resource ?? []].flat();
        return new Set(granted.includes(everyService) ? [...granted, ...audiencesOf(everyService)] : granted);
      },
    });
  }
}

/**
 * Returns the scopes that were consented to at every service that has them: consent to `admin` at one service is not consent to `admin` at all
 * services.
 */
function sharedScope(scopeOf: (audience: string) => string): string {
  const granted = new Map(
    audiencesOf(everyService).map((audience) => [audience, new Set(scopeOf(audience).split(' '))]),
  );
  return scopesOf(everyService, 'user')
    .filter((scope) =>
      [...granted].every(([audience, scopes]) => scopes.has(scope) || !scopesOf(audience, 'user').includes(scope)),
    )
    .join(' ');
}
