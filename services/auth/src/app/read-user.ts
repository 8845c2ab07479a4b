import type { Role, UserScope } from '@taskwire/contracts';
import { insufficientScope, onlyInPerson, problem } from '@taskwire/errors';
import type { Occasion, Origin } from './audit.ts';
import type { InternalUser, StoredUser, User, Users } from './ports.ts';

/** The logged-in user who calls, and the application that acts for them. */
export type Caller = {
  id: string;
  role: Role;
  /** Undefined for a token of no session, which is refused before it comes here. */
  sessionId: string | undefined;
  clientId: string;
  /** Whether the application is the product's own front end. */
  isFirstParty: boolean;
  /** What the application may do in the name of the user, as far as their role allows. */
  scopes: ReadonlySet<UserScope>;
  /** Whether the account may only reach itself, since its address is not verified. */
  isRestricted: boolean;
  /** Throws `reauthentication_required` unless the person logged in within five minutes; `or` names another proof, such as "send current_password". */
  requireRecentLogin(or: string): void;
  origin: Origin;
};

/** What they do, for the audit log. */
export function doneBy({ id, origin }: Caller): Occasion {
  return { actor: { kind: 'user', id }, origin };
}

/** Reads a user: oneself, or anybody for admins and managers. */
export function readUser({ users }: { users: Users }) {
  return async (caller: Caller, id: string): Promise<User> => {
    requireAccount(caller, id, { own: 'account:read', roles: ['admin', 'manager'] });
    const user = existing(await users.find(id));
    return seesPendingEmail(caller, id) ? toOwnUser(user) : toUser(user);
  };
}

/**
 * Lets a caller reach an account: their own with the scope for that, and any with the scope `admin` and one of these roles.
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
 * Keeps an application that was not granted administration away from what concerns other people, and users whose address is not verified.
 * @throws Problem `insufficient_scope`, `email_not_verified`.
 */
export function requireAdministration(caller: Caller): void {
  if (!caller.scopes.has('admin')) throw insufficientScope(['admin'], 'Other accounts and roles need a token with');
  if (caller.isRestricted) {
    throw problem('email_not_verified', 'Until your address is verified, you can only reach your own account.');
  }
}

/** Keeps third-party applications out of what only the person may do. @throws Problem `insufficient_scope`. */
export function requirePerson(caller: Caller): void {
  if (!caller.isFirstParty) throw onlyInPerson();
}

/** Reads a user for a service. */
export function readInternalUser({ users }: { users: Users }) {
  return async (id: string): Promise<InternalUser> => {
    const { pending_email: _, ...user } = existing(await users.find(id));
    return user;
  };
}

/** The user. @throws Problem `not_found` for one that never was, `gone` for a deleted one. */
export function existing(user: StoredUser | undefined): StoredUser {
  if (user === undefined) throw problem('not_found', 'There is no user with this id.');
  if (user.is_deleted) throw problem('gone', 'The user was deleted.');
  return user;
}

/** Where an address is about to move to concerns its owner, and those who may move it. */
function seesPendingEmail(caller: Caller, id: string): boolean {
  return caller.id === id || caller.role === 'admin';
}

/** What the public API shows of a user. */
export function toUser({ is_deleted: _, tokens_valid_after: __, pending_email: ___, ...user }: StoredUser): User {
  return user;
}

/** What the public API shows the user, and admins. */
export function toOwnUser(user: StoredUser): User {
  const { pending_email: pending } = user;
  return { ...toUser(user), ...(pending === null ? {} : { pending_email: pending }) };
}
