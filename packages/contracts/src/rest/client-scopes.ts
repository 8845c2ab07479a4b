import { audiences, audiencesOf, everyService, scopesOf } from './access.ts';

/** Whether a scope applies on behalf of a user who grants it, or on behalf of the client itself. */
type Holder = 'user' | 'service';

/**
 * The scopes that a client of Auth may request for each audience, or with `everyService` for all of them. For a client with `authorization_code`,
 * `scopes` are granted by users, and `own_scopes` are the client's additional scopes on its own behalf; for any other client, `scopes` are its own.
 */
export type ClientScopes = {
  grant_types: readonly string[];
  grants: readonly { audience: string; scopes: readonly string[]; own_scopes?: readonly string[] | undefined }[];
  /** Audiences whose tokens the client may introspect (RFC 7662). */
  introspects?: readonly string[] | undefined;
  /** The queues whose jobs the client may enqueue (`jobs:enqueue`) and execute (`jobs:work`). */
  queues?: readonly string[] | undefined;
};

/** A fault in a client's configuration: its path in the settings, and a message that names the valid values. */
export type ScopeFault = { path: (string | number)[]; message: string };

/** Former names of scopes, which did not separate reading from writing. */
const renamed: Readonly<Record<string, string>> = {
  account: 'account:read and account:write',
  tasks: 'tasks:read and tasks:write',
  notifications: 'notifications:read and notifications:write',
};

/**
 * The scopes that a client can request for a resource, on behalf of a user or on its own; undefined if the client was not granted the resource for
 * that purpose. A grant for every service covers each of them; grants for single services don't cover `everyService`. The result contains only scopes of
 * that resource and kind, even if the client's settings contain others.
 */
export function grantedScopes(client: ClientScopes, resource: string, holder: Holder): readonly string[] | undefined {
  const known = scopesOf(resource, holder);
  const knownIn = (granted: string) => configuredScopes(client, granted, holder)?.filter((one) => known.includes(one));
  if (!isResource(resource)) return undefined;
  const own = knownIn(resource);
  if (resource === everyService) return own;
  const shared = knownIn(everyService) ?? [];
  return own === undefined && shared.length === 0 ? undefined : [...new Set([...(own ?? []), ...shared])];
}

function configuredScopes({ grants, grant_types: types }: ClientScopes, granted: string, holder: Holder) {
  const grant = grants.find(({ audience }) => audience === granted);
  const actsForUsers = types.includes('authorization_code');
  return actsForUsers === (holder === 'user') ? grant?.scopes : actsForUsers ? grant?.own_scopes : undefined;
}

/** All grants that a client cannot use, because the audience or scope does not exist, or is not available to this kind of client. */
export function scopeFaults({ grants, grant_types: types, introspects = [], queues }: ClientScopes): ScopeFault[] {
  const actsForUsers = types.includes('authorization_code');
  const hasOwnScopes = actsForUsers && types.includes('client_credentials');
  return [
    ...grants.flatMap((grant, index) => {
      const at = (...path: (string | number)[]) => ['grants', index, ...path];
      const { audience } = grant;
      if (!isResource(audience)) {
        return [{ path: at('audience'), message: noAudience(audience, [...knownAudiences, everyService]) }];
      }
      if (grants.findIndex((one) => one.audience === audience) < index) {
        return [{ path: at('audience'), message: `${audience} is named twice; put its scopes into one list` }];
      }
      const faultsOf = (field: 'scopes' | 'own_scopes', holder: Holder) =>
        (grant[field] ?? []).flatMap((scope, place) => {
          const message = scopeFault(audience, scope, holder);
          return message === undefined ? [] : [{ path: at(field, place), message }];
        });
      return [
        ...faultsOf('scopes', actsForUsers ? 'user' : 'service'),
        ...(grant.own_scopes === undefined || hasOwnScopes
          ? faultsOf('own_scopes', 'service')
          : [{ path: at('own_scopes'), message: noOwnScopes }]),
      ];
    }),
    ...introspects.flatMap((audience, index) =>
      knownAudiences.includes(audience)
        ? []
        : [{ path: ['introspects', index], message: noAudience(audience, knownAudiences) }],
    ),
    ...queueFaults(grantedScopes({ grants, grant_types: types }, 'urn:taskwire:tasks', 'service') ?? [], queues),
  ];
}

/** Checks that a client has queues if and only if it has a scope of jobs, because each is useless without the other. */
function queueFaults(scopes: readonly string[], queues: readonly string[] | undefined): ScopeFault[] {
  const hasScope = scopes.some((scope) => scope.startsWith('jobs:'));
  if (hasScope === (queues !== undefined && queues.length > 0)) return [];
  const message = hasScope
    ? "are required with jobs:enqueue and jobs:work on the client's own behalf"
    : "are only for clients with jobs:enqueue or jobs:work on their own behalf";
  return [{ path: ['queues'], message }];
}

const noOwnScopes =
  'are only for clients that act both for users and on their own behalf; without redirect_uris all scopes of a client are its own';

function scopeFault(audience: string, scope: string, holder: Holder): string | undefined {
  const known = scopesOf(audience, holder);
  if (known.includes(scope)) return undefined;
  const others = scopesOf(audience, holder === 'user' ? 'service' : 'user');
  const choice = known.length === 0 ? `${audience} has none` : `known for ${audience}: ${known.join(', ')}`;
  return `${JSON.stringify(scope)} ${reason(scope, holder, others)}; ${choice}`;
}

function reason(scope: string, holder: Holder, scopesOfOtherHolder: readonly string[]): string {
  const isOfOther = scopesOfOtherHolder.includes(scope);
  const newNames = Object.hasOwn(renamed, scope) ? renamed[scope] : undefined;
  if (holder === 'user') {
    if (newNames !== undefined) return `is now ${newNames}`;
    return isOfOther ? 'is a service scope, which users cannot grant' : 'is not a scope that users can grant';
  }
  return isOfOther || newNames !== undefined
    ? 'is a user scope, which no client has on its own behalf'
    : 'is not a service scope';
}

const knownAudiences = Object.keys(audiences);

function noAudience(audience: string, known: readonly string[]): string {
  return `${JSON.stringify(audience)} is not an audience; known: ${known.join(', ')}`;
}

function isResource(resource: string): boolean {
  return audiencesOf(resource).length > 0;
}
