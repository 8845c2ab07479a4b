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

/** A fault in a client's configuration: its path in the settings, and what to write instead. */
export type ScopeFault = { path: (string | number)[]; message: string };

const knownAudiences = Object.keys(audiences) as Audience[];

/** Former names of scopes, from before reading and writing were separate. */
const renamed: Readonly<Record<string, string>> = {
  account: 'account:read and account:write',
  tasks: 'tasks:read and tasks:write',
  notifications: 'notifications:read and notifications:write',
};

/**
 * The scopes that a client can get for an audience, on behalf of a user or on its own; undefined when it was not granted the audience for that
 * purpose. The result has only scopes of that audience and kind, whatever else the client's settings contain.
 */
export function grantedScopes(
  { grants, grant_types: types }: ClientScopes,
  audience: string,
  holder: Holder,
): readonly string[] | undefined {
  const grant = grants.find((one) => one.audience === audience);
  if (grant === undefined || !isAudience(audience)) return undefined;
  const isForPeople = types.includes('authorization_code');
  const given = isForPeople === (holder === 'user') ? grant.scopes : isForPeople ? grant.own_scopes : undefined;
  const known: readonly string[] = audiences[audience][holder];
  return given?.filter((scope) => known.includes(scope));
}

/** All grants that a client cannot use, because the audience or scope does not exist, or is not available to this kind of client. */
export function scopeFaults({ grants, grant_types: types, introspects = [] }: ClientScopes): ScopeFault[] {
  const isForPeople = types.includes('authorization_code');
  const hasOwnScopes = isForPeople && types.includes('client_credentials');
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
        ...faultsOf('scopes', isForPeople ? 'user' : 'service'),
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
  'are for a client for people that also acts for itself; without redirect_uris all its scopes are its own';

function scopeFault(audience: Audience, scope: string, holder: Holder): string | undefined {
  const known: readonly string[] = audiences[audience][holder];
  if (known.includes(scope)) return undefined;
  const others: readonly string[] = audiences[audience][holder === 'user' ? 'service' : 'user'];
  const choice = known.length === 0 ? `${audience} has none of these` : `known for ${audience}: ${known.join(', ')}`;
  return `${JSON.stringify(scope)} ${reason(scope, holder, others)}; ${choice}`;
}

function reason(scope: string, holder: Holder, ofOtherHolder: readonly string[]): string {
  const isOfOther = ofOtherHolder.includes(scope);
  const now = Object.hasOwn(renamed, scope) ? renamed[scope] : undefined;
  if (holder === 'user') {
    if (now !== undefined) return `is now ${now}`;
    return isOfOther ? 'is a scope of services, which people cannot allow' : 'is not a scope that people can allow';
  }
  return isOfOther || now !== undefined
    ? 'is a scope that people allow, which no client has in its own name'
    : 'is not a scope of services';
}

function noAudience(audience: string): string {
  return `${JSON.stringify(audience)} is not an audience; known: ${knownAudiences.join(', ')}`;
}

function isAudience(audience: string): audience is Audience {
  return Object.hasOwn(audiences, audience);
}
