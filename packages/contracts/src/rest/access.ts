/**
 * Scopes that an application may have on behalf of a user (RFC 6749 section 3.3). `admin` covers administration: other people, roles, the audit log,
 * dead letters, and the reassignment of all tasks at once. Tokens of the JSON API have all scopes.
 */
export const userScopes = [
  'tasks:read',
  'tasks:write',
  'notifications:read',
  'notifications:write',
  'account:read',
  'account:write',
  'admin',
] as const;

export type UserScope = (typeof userScopes)[number];

/**
 * Scopes that a service may have on its own behalf. With `jobs:enqueue`, the service can enqueue, read and cancel jobs, and with `jobs:work` it can
 * execute them; both are limited to the queues of its registration.
 */
export const serviceScopes = ['users:read', 'tasks:read', 'account_links:read', 'jobs:enqueue', 'jobs:work'] as const;

export type ServiceScope = (typeof serviceScopes)[number];

/**
 * The audiences of access tokens (RFC 8707), one for each service, with its scopes: those that users grant to an application, and those that a
 * service uses on its own behalf. No client can be registered for any other scope. `tasks:read` is in both lists: on behalf of a user it grants
 * access to the tasks that the user may read, and on behalf of a service to every task.
 */
export const audiences = {
  'urn:taskwire:auth': { user: ['account:read', 'account:write', 'admin'], service: ['users:read', 'account_links:read'] },
  'urn:taskwire:tasks': { user: ['tasks:read', 'tasks:write', 'admin'], service: ['tasks:read', 'jobs:enqueue', 'jobs:work'] },
  'urn:taskwire:notifications': { user: ['notifications:read', 'notifications:write', 'admin'], service: [] },
} as const satisfies Record<string, { user: readonly UserScope[]; service: readonly ServiceScope[] }>;

export type Audience = keyof typeof audiences;

/**
 * The resource for front ends that call all services with one token (RFC 8707). It stands for every audience and has the scopes of all audiences.
 * `admin`, which several audiences have, then applies to all of them.
 */
export const everyService = 'urn:taskwire:api';

/** Returns the audiences for which a resource stands; an empty list if it is unknown. */
export function audiencesOf(resource: string): readonly Audience[] {
  const known = Object.keys(audiences) as Audience[];
  return resource === everyService ? known : known.filter((audience) => audience === resource);
}

/** Returns the scopes that a resource has on behalf of users, or on behalf of a service itself. */
export function scopesOf(resource: string, holder: 'user' | 'service'): readonly string[] {
  return [...new Set<string>(audiencesOf(resource).flatMap((audience) => audiences[audience][holder]))];
}

/** The `client_id` of tokens issued by the JSON API: the product's own front end. No registered client may use this name. */
export const firstPartyClient = 'first-party';

/** The role of a user. */
export type Role = 'admin' | 'manager' | 'member';

/**
 * A user who may act on an object: by role, or by a relation to the object. `self` is the user whom the object describes; `owner` is the user to whom
 * the log-in or consent belongs. `lead` and `contributor` are members of the object's project, if it is in one; `reader` is everyone, except for an object
 * in a project: then its members, managers and admins. `writer` is the same without viewers.
 */
export type Party =
  | Role
  | 'creator'
  | 'assignee'
  | 'author'
  | 'contributor'
  | 'lead'
  | 'self'
  | 'owner'
  | 'recipient'
  | 'inviter'
  | 'reader'
  | 'writer'
  | 'everyone';

/** The parties for the whole operation, or for each of its cases. A case is a value of the body's main field, or the field that is changed. */
export type ObjectRule = readonly Party[] | Readonly<Record<string, readonly Party[]>>;

/** The rule by case. A rule for the whole operation has one case, with an empty name. */
export function casesOf(rule: ObjectRule): [name: string, parties: readonly Party[]][] {
  return isList(rule) ? [['', rule]] : Object.entries(rule);
}

function isList(rule: ObjectRule): rule is readonly Party[] {
  return Array.isArray(rule);
}

/** The access requirements for a logged-in user. */
export type UserAccess = {
  kind: 'user';
  /** Scopes that grant access to the route; the token needs one of them. A handler may require more, depending on the change. */
  scopes: readonly UserScope[];
  /** Roles that may call the route; if absent, all roles may. */
  roles?: readonly Role[];
  /** Accepts only tokens of the JSON API: for operations that no third party may ever perform on behalf of a user. */
  firstParty?: true;
  /** Requires a log-in or reauthentication within the last five minutes (step-up): for operations that cannot be undone. */
  recentLogin?: true;
  /** Also open to services with this scope; the handler then receives both kinds of callers. */
  service?: ServiceScope;
  /** Open to accounts with an unverified address, although the service requires verified addresses. */
  unverified?: true;
  /**
   * Declares who may act on which object, beyond `roles`. Every operation with an id in its path has `objects` or `roles`, and a user who is not one
   * of the parties gets 403 or 404; a test calls all operations as such a user. The descriptions in OpenAPI and `contracts/permissions.md` are
   * generated from this declaration.
   */
  objects?: ObjectRule;
};

/**
 * The callers of a route: anyone, a logged-in user, or a service with a machine-to-machine token of this scope. With `user: 'optional'`, anyone may
 * call the route, and a user who sends an access token is identified; an invalid token is rejected. Routes of services are internal unless they are `public`: those
 * are behind the gateway, for programs that run anywhere.
 */
export type Access = { kind: 'anyone'; user?: 'optional' } | UserAccess | { kind: 'service'; scope: ServiceScope; public?: true };
