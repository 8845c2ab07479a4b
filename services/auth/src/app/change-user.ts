import { schemas, type Role } from '@taskwire/contracts';
import { problem, Problem } from '@taskwire/errors';
import type { Audit } from './audit.ts';
import type { CheckPassword } from './authenticate.ts';
import { emailTaken } from './create-user.ts';
import { currentPasswordRequired, requireCurrentPassword } from './current-password.ts';
import type { Limits, StoredUser, User, UserChange, Users } from './ports.ts';
import {
  doneBy,
  existing,
  requireAccount,
  requireAdministration,
  requirePerson,
  toOwnUser,
  type Caller,
} from './read-user.ts';
import { requireAcceptedDomain, type RegistrationPolicy } from './registration.ts';

/** Throws unless the caller knows this version of what it changes. */
export type RequireVersion = (version: number) => void;

type Wanted = {
  name?: string | undefined;
  email?: string | undefined;
  role?: Role | undefined;
  current_password?: string | undefined;
};

type Parts = { users: Users; limits: Limits; audit: Audit; checkPassword: CheckPassword; policy: RegistrationPolicy };

/** Changes a user: oneself, or anybody for admins. What is as wanted already makes neither a version nor an event. */
export function changeUser({ users, limits, audit, checkPassword, policy }: Parts) {
  const requirePassword = requireCurrentPassword(checkPassword);

  /**
   * Whether the caller may have the user's address moved to another; false where it would not move. Both addresses are mailed.
   * @throws Problem `current_password_required`, `wrong_password`, `email_domain_not_accepted`, `rate_limited`, `email_taken`.
   */
  async function mayMove(caller: Caller, id: string, { email, current_password: password }: Wanted): Promise<boolean> {
    const user = await users.find(id);
    if (email === undefined || user === undefined || user.is_deleted || isSameAddress(user.email, email)) return false;
    // asked first, so that a stolen session learns nothing and mails nobody
    if (caller.id === id) await requirePassword(user, password, caller.origin);
    if (caller.id === id) requireAcceptedDomain(policy, email);
    // counted before the next answer, which tells whether there is an account
    if (!(await limits.changeEmail(id))) throw mailedTooOften();
    if ((await users.emailTakenBy(email, id)) !== undefined) throw emailTaken();
    await limits.causeMail(doneBy(caller));
    if (!(await limits.mail(caller.origin.ip ?? '', email, 'confirm_email'))) throw mailedTooOften();
    return true;
  }

  async function audited(caller: Caller, id: string, wanted: Wanted): Promise<boolean> {
    try {
      return await mayMove(caller, id, wanted);
    } catch (error) {
      if (error instanceof Problem && error.status < 500) {
        const subject = { kind: 'user', id } as const;
        await audit.recordRefusal({ ...doneBy(caller), action: 'email.change.request', subject, reason: error.code });
      }
      throw error;
    }
  }

  /** A name is an event, and reaches everybody who shares a task with its owner. Only a change that may be made counts. */
  async function allowRename(caller: Caller, id: string, name: string, requireVersion: RequireVersion): Promise<void> {
    const user = await users.find(id);
    if (user === undefined || user.is_deleted || user.name === name) return;
    requireVersion(user.version);
    await limits.rename(doneBy(caller), id);
  }

  return async (caller: Caller, id: string, wanted: Wanted, requireVersion: RequireVersion): Promise<User> => {
    requireAccount(caller, id, { own: 'account:write', roles: ['admin'] });
    if (wanted.role !== undefined) requireAdministration(caller);
    if (wanted.role !== undefined && caller.role !== 'admin') throw problem('forbidden', 'Only admins change roles.');
    // whoever holds the address of an account can take the account over, so not even an application that administers changes one
    if (wanted.email !== undefined) requirePerson(caller);
    if (wanted.name !== undefined) await allowRename(caller, id, wanted.name, requireVersion);
    const isMoveAllowed = await audited(caller, id, wanted);
    const changed = await users.change(id, doneBy(caller), async (user, isThereAnotherAdmin) => {
      existing(user);
      requireVersion(user.version);
      const change = differences(user, wanted);
      // what was only another spelling a moment ago is another address by now
      if (typeof change.pendingEmail === 'string' && !isMoveAllowed) throw currentPasswordRequired();
      if (change.role === undefined || !isDemotion(user.role, change.role)) return change;
      if (user.role === 'admin') await keepAnAdmin(isThereAnotherAdmin);
      return { ...change, endsSessions: 'user_demoted' };
    });
    if (changed === 'email_taken') throw emailTaken();
    return toOwnUser(existing(changed));
  };
}

/** Deletes a user: oneself, or anybody for admins. A tombstone stays. */
export function deleteUser({ users }: { users: Users }) {
  return async (caller: Caller, id: string, requireVersion: RequireVersion): Promise<void> => {
    requireAccount(caller, id, { own: 'account:write', roles: ['admin'] });
    if (caller.id === id) requirePerson(caller);
    const deleted = await users.change(id, doneBy(caller), async (user, isThereAnotherAdmin) => {
      existing(user);
      requireVersion(user.version);
      if (user.role === 'admin') await keepAnAdmin(isThereAnotherAdmin);
      return { deleted: true, endsSessions: 'user_deleted' };
    });
    if (deleted === undefined) existing(deleted);
  };
}

function mailedTooOften() {
  return problem('rate_limited', 'This address was mailed too often. Try again in an hour.');
}

async function keepAnAdmin(isThereAnotherAdmin: () => Promise<boolean>): Promise<void> {
  if (!(await isThereAnotherAdmin())) throw problem('last_admin', 'Make another user an admin first.');
}

/** Roles are listed in the order of what they may do. */
function isDemotion(before: Role, after: Role): boolean {
  return schemas.roles.indexOf(after) > schemas.roles.indexOf(before);
}

function differences(user: StoredUser, wanted: Wanted): UserChange {
  return {
    ...(wanted.name === undefined || wanted.name === user.name ? {} : { name: wanted.name }),
    ...(wanted.email === undefined ? {} : moved(user, wanted.email)),
    ...(wanted.role === undefined || wanted.role === user.role ? {} : { role: wanted.role }),
  };
}

/** Another address has to be confirmed first; another spelling holds at once, and says that the present address is to stay. */
function moved(user: StoredUser, email: string): UserChange {
  if (!isSameAddress(user.email, email)) return { pendingEmail: email };
  return {
    ...(email === user.email ? {} : { email }),
    ...(user.pending_email === null ? {} : { pendingEmail: null }),
  };
}

function isSameAddress(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
