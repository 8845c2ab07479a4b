import type { AuditAction, Role } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { isSameAddress } from '../domain/email-address.ts';
import { isDemotion } from '../domain/role.ts';
import type { UserChange } from '../domain/user-change.ts';
import { requireAcceptedDomain, type RegistrationPolicy } from '../domain/registration-policy.ts';
import type { Audit } from './ports/audit.ts';
import { withAuditedRefusals } from './audited-refusals.ts';
import { emailTaken } from './create-user.ts';
import { currentPasswordRequired } from './current-password.ts';
import { mailedTooOften } from './mailed-too-often.ts';
import type { Limits } from './ports/limits.ts';
import type { StoredUser, User, Users } from './ports/users.ts';
import {
  contextOf,
  requireUser,
  requireAccount,
  requireAdministration,
  requirePerson,
  toOwnUser,
  type Caller,
} from './read-user.ts';
import type { StepUp } from './step-up.ts';

/** Throws unless the caller sent the current version of the resource. */
export type RequireVersion = (version: number) => void;

type UserInput = {
  name?: string | undefined;
  email?: string | undefined;
  role?: Role | undefined;
  current_password?: string | undefined;
};

type ChangeParts = { users: Users; limits: Limits; audit: Audit; stepUp: StepUp; policy: RegistrationPolicy };

/**
 * Changes a user. Users may change themselves; admins may change any user. A change that has no effect creates neither a version nor an event.
 * Changing a role or another user's address requires step-up; changing one's own address requires the password.
 */
export function changeUser({ users, limits, audit, stepUp, policy }: ChangeParts) {
  /**
   * Whether the caller may change the user's address to another; false if the address would stay the same. Both addresses are mailed. A password that
   * was sent has already been checked.
   * @throws Problem `current_password_required`, `email_domain_not_accepted`, `rate_limited`, `email_taken`.
   */
  async function mayChangeAddress(
    caller: Caller,
    id: string,
    { email, current_password: password }: UserInput,
  ): Promise<boolean> {
    const user = await users.find(id);
    if (email === undefined || user === undefined || user.is_deleted || isSameAddress(user.email, email)) return false;
    // checked first, so that the holder of a stolen session learns nothing and causes no mail
    if (caller.id === id && password === undefined) throw currentPasswordRequired();
    if (caller.id === id) requireAcceptedDomain(policy, email);
    // counted before the next check, whose result reveals whether an account exists
    if (!(await limits.changeEmail(id))) throw mailedTooOften();
    if ((await users.emailTakenBy(email, id)) !== undefined) throw emailTaken();
    await limits.causeMail(contextOf(caller));
    if (!(await limits.mail(caller.origin.ip ?? '', email, 'confirm_email'))) throw mailedTooOften();
    return true;
  }

  async function mayChangeAddressAudited(caller: Caller, id: string, input: UserInput): Promise<boolean> {
    const subject = { kind: 'user', id } as const;
    const attempt = { ...contextOf(caller), action: 'email.change.request', subject } as const;
    return await withAuditedRefusals(audit, attempt, async () => mayChangeAddress(caller, id, input));
  }

  /**
   * Limits renames, because each one causes an event, and reaches every user who shares a task with this user. Only permitted changes are counted.
   */
  async function allowRename(caller: Caller, id: string, name: string, requireVersion: RequireVersion): Promise<void> {
    const user = await users.find(id);
    if (user === undefined || user.is_deleted || user.name === name) return;
    requireVersion(user.version);
    await limits.rename(contextOf(caller), id);
  }

  return async (caller: Caller, id: string, input: UserInput, requireVersion: RequireVersion): Promise<User> => {
    requireAccount(caller, id, { own: 'account:write', roles: ['admin'] });
    if (input.role !== undefined) requireAdministration(caller);
    if (input.role !== undefined && caller.role !== 'admin')
      throw problem('forbidden', 'Only admins can change roles.');
    // anyone in control of an account's address can take the account over, so even an application with administration rights can't change it
    if (input.email !== undefined) requirePerson(caller);
    if (input.current_password !== undefined || needsStepUp(caller, id, input)) {
      await stepUp(caller, input.current_password, { action: auditEntriesOf(input), subject: { kind: 'user', id } });
    }
    if (input.name !== undefined) await allowRename(caller, id, input.name, requireVersion);
    const isAddressChangeAllowed = await mayChangeAddressAudited(caller, id, input);
    const changed = await users.change(id, contextOf(caller), async (user, isThereAnotherAdmin) => {
      requireUser(user);
      requireVersion(user.version);
      const change = differences(user, input);
      // an address that was only another spelling a moment ago may be a different address now, because the user has changed
      if (typeof change.pendingEmail === 'string' && !isAddressChangeAllowed) throw currentPasswordRequired();
      if (change.role === undefined || !isDemotion(user.role, change.role)) return change;
      if (user.role === 'admin') await keepAnAdmin(isThereAnotherAdmin);
      return { ...change, endsSessions: 'user_demoted' };
    });
    if (changed === 'email_taken') throw emailTaken();
    return toOwnUser(requireUser(changed));
  };
}

/** Deletes a user. Users may delete themselves; admins may delete any user. Both require step-up. A tombstone remains. */
export function deleteUser({ users, stepUp }: { users: Users; stepUp: StepUp }) {
  return async (
    caller: Caller,
    id: string,
    { current_password: current }: Pick<UserInput, 'current_password'>,
    requireVersion: RequireVersion,
  ): Promise<void> => {
    requireAccount(caller, id, { own: 'account:write', roles: ['admin'] });
    if (caller.id === id) requirePerson(caller);
    await stepUp(caller, current, { action: 'user.delete', subject: { kind: 'user', id } });
    const deleted = await users.change(id, contextOf(caller), async (user, isThereAnotherAdmin) => {
      requireUser(user);
      requireVersion(user.version);
      if (user.role === 'admin') await keepAnAdmin(isThereAnotherAdmin);
      return { deleted: true, endsSessions: 'user_deleted' };
    });
    if (deleted === undefined) requireUser(deleted);
  };
}

/** A role grants rights, and another user's address gives access to their account. */
function needsStepUp(caller: Caller, id: string, { role, email }: UserInput): boolean {
  return role !== undefined || (email !== undefined && caller.id !== id);
}

function auditEntriesOf({ role, email }: UserInput): AuditAction {
  if (role !== undefined) return 'role.change';
  return email === undefined ? 'user.change' : 'email.change.request';
}

async function keepAnAdmin(isThereAnotherAdmin: () => Promise<boolean>): Promise<void> {
  if (!(await isThereAnotherAdmin())) throw problem('last_admin', 'Make another user an admin first.');
}

function differences(user: StoredUser, input: UserInput): Pick<UserChange, 'email' | 'pendingEmail' | 'name' | 'role'> {
  return {
    ...(input.name === undefined || input.name === user.name ? {} : { name: input.name }),
    ...(input.email === undefined ? {} : addressChange(user, input.email)),
    ...(input.role === undefined || input.role === user.role ? {} : { role: input.role }),
  };
}

/** A different address has to be confirmed first. Another spelling of the address takes effect at once and cancels a pending change. */
function addressChange(user: StoredUser, email: string): UserChange {
  if (!isSameAddress(user.email, email)) return { pendingEmail: email };
  return {
    ...(email === user.email ? {} : { email }),
    ...(user.pending_email === null ? {} : { pendingEmail: null }),
  };
}
