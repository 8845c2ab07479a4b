import type { Role, UserScope } from '@taskwire/contracts';
import { insufficientScope, onlyInPerson, problem } from '@taskwire/errors';
import type { AuditContext, RequestOrigin } from '../domain/audit-context.ts';
import type { InternalUser, StoredUser, User, Users } from './ports/users.ts';

/** The logged-in caller, and the application acting for them. */
export type Caller = {
  id: string;
  role: Role;
  /** Undefined for a token without a session; such a token is refused before it reaches this point. */
  sessionId: string | undefined;
  clientId: string;
  /** Whether the application is the product's own front end. */
  isFirstParty: boolean;
  /** The scopes that the application has on behalf of the user, limited by the user's role. */
  scopes: ReadonlySet<UserScope>;
  /** Whether the account can access only itself because its address isn't verified. */
  isRestricted: boolean;
  /**
   * Throws `reauthentication_required` unless the user logged in within the last five minutes. `or` names an alternative proof, such as "send
   * current_password".
   */
  requireRecentLogin(or: string): void;
  origin: RequestOrigin;
};

/** The actor and origin of the caller's actions, for the audit log. */
export function contextOf({ id, origin }: Caller): AuditContext {
  return { actor: { kind: 'user', id }, origin };
}

/** Reads a user. Users may read themselves; admins and managers may read any user. */
export function readUser({ users }: { users: Users }) {
  return async (caller: Caller, id: string): Promise<User> => {
    requireAccount(caller, id, { own: 'account:read', roles: ['admin', 'manager'] });
    const user = requireUser(await users.find(id));
    return seesPendingEmail(caller, id) ? toOwnUser(user) : toUser(user);
  };
}

/**
 * Requires access to an account. The caller's own account requires the scope given as `own`; any other account requires the scope `admin` and one of
 * `roles`.
 * @throws Problem `insufficient_scope`, `email_not_verified`, `forbidden`.
 */
export function requireAccount(
  caller: Caller,
  id: string,
  { own, roles }: { own: UserScope; roles: readonly Role[] },
): void {
  const isOwn = caller.id === id;
  if (isOwn && caller.scopes.has(own)) return;
  if (isOwn && !roles.includes(caller.role)) throw insufficientScope([own], 'Your own account needs a token with');
  requireAdministration(caller);
  if (!roles.includes(caller.role)) {
    throw problem('forbidden', `Accounts of other people need the role ${roles.join(' or ')}.`);
  }
}

/**
 * Refuses operations on other users to applications without the scope `admin`, and to users whose address isn't verified.
 * @throws Problem `insufficient_scope`, `email_not_verified`.
 */
export function requireAdministration(caller: Caller): void {
  if (!caller.scopes.has('admin')) throw insufficientScope(['admin'], 'Other accounts and roles need a token with');
  if (caller.isRestricted) {
    throw problem('email_not_verified', 'Until your address is verified, you can only reach your own account.');
  }
}

/** Refuses third-party applications: only the user may take this action. @throws Problem `insufficient_scope`. */
export function requirePerson(caller: Caller): void {
  if (!caller.isFirstParty) throw onlyInPerson();
}

/** Reads a user for a service. */
export function readInternalUser({ users }: { users: Users }) {
  return async (id: string): Promise<InternalUser> => {
    const { pending_email: _, ...user } = requireUser(await users.find(id));
    return user;
  };
}

/** Returns the user. @throws Problem `not_found` if the user never existed, `gone` if they are deleted. */
export function requireUser(user: StoredUser | undefined): StoredUser {
  if (user === undefined) throw problem('not_found', 'There is no user with this id.');
  if (user.is_deleted) throw problem('gone', 'The user was deleted.');
  return user;
}

/** Only the user and those who may change the address can see a pending address. */
function seesPendingEmail(caller: Caller, id: string): boolean {
  return caller.id === id || caller.role === 'admin';
}

/** The fields of a user that the public API shows. */
export function toUser({ is_deleted: _, tokens_valid_after: __, pending_email: ___, ...user }: StoredUser): User {
  return user;
}

/** The fields of a user that the public API shows to the user and to admins. */
export function toOwnUser(user: StoredUser): User {
  return { ...toUser(user), pending_email: user.pending_email ?? undefined };
}
