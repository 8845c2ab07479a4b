import { audiencesOf, scopesOf, type Role } from '@taskwire/contracts';
import type { Client, interactionPolicy, KoaContextWithOIDC, Provider } from 'oidc-provider';
import { base, Check } from 'oidc-provider/lib/helpers/interaction_policy/index.js';
import type { KnownAccount } from './accounts.ts';
import { machineAddressCheck } from './native-clients.ts';
import { openidScopes, scopesForUsers } from './resources.ts';

type Grant = InstanceType<Provider['Grant']>;

/**
 * The scopes that a client requests from a user, limited to those granted to the client: a token can contain nothing else, whatever the request says.
 */
export type RequestedAccess = {
  openid: string[];
  /** Scopes by audience. The scopes of every service are listed at each service. */
  resources: Record<string, string[]>;
  /** Audiences for which it also requests `admin`, which the user's role doesn't allow. */
  refused: string[];
};

/** Returns what a request asks for. */
export function requestedAccess(client: Client, params: Record<string, unknown>, role: Role): RequestedAccess {
  const requested = new Set(String(params['scope'] ?? '').split(' '));
  const resources = [params['resource'] ?? []].flat().map(String);
  const byAudience = new Map<string, Set<string>>();
  for (const resource of resources) {
    const scopes = (scopesForUsers(client, resource) ?? []).filter((scope) => requested.has(scope));
    for (const audience of audiencesOf(resource)) {
      const known = byAudience.get(audience) ?? new Set();
      const ofAudience = scopes.filter((scope) => scopesOf(audience, 'user').includes(scope));
      byAudience.set(audience, known.union(new Set(ofAudience)));
    }
  }
  const asked = [...byAudience].map(([audience, scopes]) => ({
    audience,
    scopes: [...scopes].filter((scope) => canAllow(role, scope)),
    isRefused: [...scopes].some((scope) => !canAllow(role, scope)),
  }));
  return {
    openid: openidScopes.filter((scope) => requested.has(scope)),
    resources: Object.fromEntries(
      asked.filter(({ scopes }) => scopes.length > 0).map(({ audience, scopes }) => [audience, scopes]),
    ),
    refused: asked.filter(({ isRefused }) => isRefused).map(({ audience }) => audience),
  };
}

/** Members have nothing to administer. If they could consent to it, a client could wait for their promotion. */
function canAllow(role: Role, scope: string): boolean {
  return scope !== 'admin' || role !== 'member';
}

/** Adds what a user allows to a grant. Scopes that their role doesn't allow count as rejected until it does. */
export function allow(grant: Grant, { openid, resources, refused }: RequestedAccess): void {
  if (openid.length > 0) grant.addOIDCScope(openid);
  for (const [audience, scopes] of Object.entries(resources)) {
    const refusedBefore = grant.rejected?.resources;
    if (refusedBefore?.[audience] !== undefined) {
      refusedBefore[audience] = refusedBefore[audience]
        .split(' ')
        .filter((scope) => !scopes.includes(scope))
        .join(' ');
    }
    grant.addResourceScope(audience, scopes);
  }
  for (const audience of refused) grant.rejectResourceScope(audience, ['admin']);
}

/**
 * The provider's own policy, which prompts for consent to each request of a native client, extended by two cases. Public clients with a loopback
 * address also prompt each time, and so does any user who can allow administration, whatever they allowed before.
 */
export function consentPolicy(): interactionPolicy.DefaultPolicy {
  const policy = base();
  const checks = policy.get('consent')?.checks;
  checks?.add(machineAddressCheck);
  checks?.add(
    new Check('admin_requested', 'administration requires consent each time', 'consent_required', (ctx) =>
      asksForAdmin(ctx) && ctx.oidc.result?.consent === undefined ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT,
    ),
  );
  return policy;
}

function asksForAdmin({ oidc }: KoaContextWithOIDC): boolean {
  const role = (oidc.account as KnownAccount | undefined)?.subject.user.role;
  return (
    (role === undefined || canAllow(role, 'admin')) &&
    oidc.requestParamScopes.has('admin') &&
    Object.values(oidc.resourceServers ?? {}).some(({ scope }) => scope.split(' ').includes('admin'))
  );
}
