import type { Role } from '@taskwire/contracts';
import type { Client, interactionPolicy, KoaContextWithOIDC, Provider } from 'oidc-provider';
import { base, Check } from 'oidc-provider/lib/helpers/interaction_policy/index.js';
import type { KnownAccount } from './accounts.ts';
import { machineAddressCheck } from './native-clients.ts';
import { openidScopes, scopesForUsers } from './resources.ts';

type Grant = InstanceType<Provider['Grant']>;

/** What a client asks a person for, as far as it was granted it: nothing else can be in a token, whatever the request says. */
export type Asked = {
  openid: string[];
  /** Scopes by audience. */
  resources: Record<string, string[]>;
  /** Audiences for which it also asks for `admin`, which the role of the person cannot give. */
  refused: string[];
};

/** What a request asks for. */
export function askedOf(client: Client, params: Record<string, unknown>, role: Role): Asked {
  const requested = new Set(String(params['scope'] ?? '').split(' '));
  const audiences = [params['resource'] ?? []].flat().map(String);
  const asked = audiences.map((audience) => {
    const scopes = (scopesForUsers(client, audience) ?? []).filter((scope) => requested.has(scope));
    return {
      audience,
      scopes: scopes.filter((scope) => canAllow(role, scope)),
      isRefused: !scopes.every((scope) => canAllow(role, scope)),
    };
  });
  return {
    openid: openidScopes.filter((scope) => requested.has(scope)),
    resources: Object.fromEntries(
      asked.filter(({ scopes }) => scopes.length > 0).map(({ audience, scopes }) => [audience, scopes]),
    ),
    refused: asked.filter(({ isRefused }) => isRefused).map(({ audience }) => audience),
  };
}

/** Members have nothing to administer; were they asked, a client could wait for their promotion. */
function canAllow(role: Role, scope: string): boolean {
  return scope !== 'admin' || role !== 'member';
}

/** Puts what a person allows into a grant; what their role cannot give counts as refused, until it can. */
export function allow(grant: Grant, { openid, resources, refused }: Asked): void {
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
 * The provider's own policy, which asks about each request of a native client. Public clients with an address of the machine are asked about each
 * time too, and so is whoever can allow administration, whatever they allowed before.
 */
export function consentPolicy(): interactionPolicy.DefaultPolicy {
  const policy = base();
  const checks = policy.get('consent')?.checks;
  checks?.add(machineAddressCheck);
  checks?.add(
    new Check('admin_requested', 'administration is allowed anew each time', 'consent_required', (ctx) =>
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
