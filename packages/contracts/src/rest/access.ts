/**
 * What an application may do in the name of a user (RFC 6749 section 3.3). `admin` covers administration: other people, roles, the audit
 * log, dead letters, and reassigning everything at once. Tokens of the JSON API carry all of them.
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

/** What a service may do in its own name. */
export const serviceScopes = ['users:read', 'tasks:read', 'account_links:read'] as const;

export type ServiceScope = (typeof serviceScopes)[number];

/**
 * The audiences of access tokens (RFC 8707), one for each service, with the scopes that exist there: those that users allow an application,
 * and those that a service uses in its own name. No client can be registered for any other. `tasks:read` is both: for a user it opens what
 * the user may read, for a service every task.
 */
export const audiences = {
  'urn:taskwire:auth': { user: ['account:read', 'account:write', 'admin'], service: ['users:read', 'account_links:read'] },
  'urn:taskwire:tasks': { user: ['tasks:read', 'tasks:write', 'admin'], service: ['tasks:read'] },
  'urn:taskwire:notifications': { user: ['notifications:read', 'notifications:write', 'admin'], service: [] },
} as const satisfies Record<string, { user: readonly UserScope[]; service: readonly ServiceScope[] }>;

export type Audience = keyof typeof audiences;

/** The `client_id` of tokens that the JSON API issues: the product's own front end. No registered client may use this name. */
export const firstPartyClient = 'first-party';

/** What a user may be. */
export type Role = 'admin' | 'manager' | 'member';

/** Access of a logged-in user. */
export type UserAccess = {
  kind: 'user';
  /** Scopes that open the route; the token needs one of them. A handler may ask for more, depending on what is changed. */
  scopes: readonly UserScope[];
  /** Roles that may call the route; all of them when absent. */
  roles?: readonly Role[];
  /** Only tokens of the JSON API: what no third party may ever do in the name of a user. */
  firstParty?: true;
  /** Only within five minutes of a log-in or a reauthentication (step-up): what a person cannot undo. */
  recentLogin?: true;
  /** Open to accounts whose address is not verified, although the service requires verified addresses. */
  unverified?: true;
};

/**
 * Who may call a route: anybody, a logged-in user, or a service with a machine-to-machine token of this scope. With `user: 'optional'`
 * anybody may call it, and a user who sends their access token is known; a token that is not valid is refused.
 */
export type Access = { kind: 'anyone'; user?: 'optional' } | UserAccess | { kind: 'service'; scope: ServiceScope };
