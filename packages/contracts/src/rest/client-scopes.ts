import { audiences, type Audience } from './access.ts';

/** Whether a scope applies on behalf of a user who grants it, or on behalf of the client itself. */
type Holder = 'user' | 'service';

/**
 * The scopes that a client of Auth may request for each audience. For a client with `authorization_code`, `scopes` are those of users and
 * `own_scopes` its additional scopes on its own behalf; for any other client `scopes` are its own.
 */
export type ClientScopes = {
  grant_types: readonly string[];
  grants: readonly { audience: string; scopes: readonly string[]; own_scopes?: readonly string[] | undefined }[];
  /** Audiences whose tokens the client may introspect (RFC 7662). */
  introspects?: readonly string[] | undefined;
};

/** A fault in a client's configuration: its path in the settings, and a message that names the valid values. */
export type ScopeFault = { path: (string | number)[]; message: string };

const knownAudiences = Object.keys(audiences) as Audience[];

/** Former names of scopes, which did not separate reading from writing. */
const renamed: Readonly<Record<string, string>> = {
  account: 'account:read and account:write',
  tasks: 'tasks:read and tasks:write',
  notifications: 'notifications:read and notifications:write',
};

/**
 * The scopes that a client can request for an audience, on behalf of a user or on its own; undefined if it was not granted the audience for that
 * purpose. The result contains only scopes of that audience and kind, even if the client's settings contain others.
 */
export function grantedScopes(
  { grants, grant_types: types }: ClientScopes,
  audience: string,
  holder: Holder,
): readonly string[] | undefined {
  const grant = grants.find((one) => one.audience === audience);
  if (grant === undefined || !isAudience(audience)) return undefined;
  const actsForUsers = types.includes('authorization_code');
  const configured = actsForUsers === (holder === 'user') ? grant.scopes : actsForUsers ? grant.own_scopes : undefined;
  const known: readonly string[] = audiences[audience][holder];
  return configured?.filter((scope) => known.includes(scope));
}

/** All grants that a client cannot use, because the audience or scope does not exist, or is not available to this kind of client. */
export function scopeFaults({ grants, grant_types: types, introspects = [] }: ClientScopes): ScopeFault[] {
  const actsForUsers = types.includes('authorization_code');
  const hasOwnScopes = actsForUsers && types.includes('client_credentials');
  return [
    ...grants.flatMap((grant, index) => {
      const at = (...path: (string | number)[]) => ['grants', index, ...path];
      const { audience } = grant;
      if (!isAudience(audience)) return [{ path: at('audience'), message: noAudience(audience) }];
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
      isAudience(audience) ? [] : [{ path: ['introspects', index], message: noAudience(audience) }],
    ),
  ];
}

const noOwnScopes =
  'are only for clients that act both for users and on their own behalf; without redirect_uris all scopes of a client are its own';

function scopeFault(audience: Audience, scope: string, holder: Holder): string | undefined {
  const known: readonly string[] = audiences[audience][holder];
  if (known.includes(scope)) return undefined;
  const others: readonly string[] = audiences[audience][holder === 'user' ? 'service' : 'user'];
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

function noAudience(audience: string): string {
  return `${JSON.stringify(audience)} is not an audience; known: ${knownAudiences.join(', ')}`;
}

function isAudience(audience: string): audience is Audience {
  return Object.hasOwn(audiences, audience);
}
