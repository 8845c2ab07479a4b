import { schemas, type Role } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { emailTaken } from './create-user.ts';
import type { InternalUser, Limits, User, UserChange, Users } from './ports.ts';
import { doneBy, existing, requireAdministration, requirePerson, toUser, type Caller } from './read-user.ts';

/** Throws unless the caller knows this version of what it changes. */
export type RequireVersion = (version: number) => void;

type Wanted = { name?: string | undefined; email?: string | undefined; role?: Role | undefined };

/** Changes a user: oneself, or anybody for admins. What is as wanted already makes neither a version nor an event. */
export function changeUser({ users, limits }: { users: Users; limits: Limits }) {
  /** Another address is mailed, and could be anybody's. */
  async function allowMail(caller: Caller, id: string, email: string): Promise<void> {
    const user = await users.find(id);
    if (user === undefined || user.email.toLowerCase() === email.toLowerCase()) return;
    await limits.causeMail(doneBy(caller));
    if (await limits.mail(caller.origin.ip ?? '', email, 'verify_email')) return;
    throw problem('rate_limited', 'This address was mailed too often. Try again in an hour.');
  }

  /** A name is an event, and reaches everybody who shares a task with its owner. Only a change that may be made counts. */
  async function allowRename(caller: Caller, id: string, name: string, requireVersion: RequireVersion): Promise<void> {
    const user = await users.find(id);
    if (user === undefined || user.is_deleted || user.name === name) return;
    requireVersion(user.version);
    await limits.rename(doneBy(caller), id);
  }

  return async (caller: Caller, id: string, wanted: Wanted, requireVersion: RequireVersion): Promise<User> => {
    requireSelfOrAdmin(caller, id);
    if (wanted.role !== undefined) requireAdministration(caller);
    if (wanted.role !== undefined && caller.role !== 'admin') throw problem('forbidden', 'Only admins change roles.');
    if (wanted.email !== undefined && caller.id === id) requirePerson(caller);
    if (wanted.name !== undefined) await allowRename(caller, id, wanted.name, requireVersion);
    if (wanted.email !== undefined) await allowMail(caller, id, wanted.email);
    const changed = await users.change(id, doneBy(caller), async (user, isThereAnotherAdmin) => {
      existing(user);
      requireVersion(user.version);
      const change = differences(user, wanted);
      if (change.role === undefined || !isDemotion(user.role, change.role)) return change;
      if (user.role === 'admin') await keepAnAdmin(isThereAnotherAdmin);
      return { ...change, endsSessions: 'user_demoted' };
    });
    if (changed === 'email_taken') throw emailTaken();
    return toUser(existing(changed));
  };
}

/** Deletes a user: oneself, or anybody for admins. A tombstone stays. */
export function deleteUser({ users }: { users: Users }) {
  return async (caller: Caller, id: string, requireVersion: RequireVersion): Promise<void> => {
    requireSelfOrAdmin(caller, id);
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

function requireSelfOrAdmin(caller: Caller, id: string): void {
  if (caller.id !== id) requireAdministration(caller);
  if (caller.id !== id && caller.role !== 'admin') throw problem('forbidden', 'Only admins change other users.');
}

async function keepAnAdmin(isThereAnotherAdmin: () => Promise<boolean>): Promise<void> {
  if (!(await isThereAnotherAdmin())) throw problem('last_admin', 'Make another user an admin first.');
}

/** Roles are listed in the order of what they may do. */
function isDemotion(before: Role, after: Role): boolean {
  return schemas.roles.indexOf(after) > schemas.roles.indexOf(before);
}

function differences(user: InternalUser, wanted: Wanted): UserChange {
  return {
    ...(wanted.name === undefined || wanted.name === user.name ? {} : { name: wanted.name }),
    ...(wanted.email === undefined || wanted.email === user.email ? {} : { email: wanted.email }),
    ...(wanted.role === undefined || wanted.role === user.role ? {} : { role: wanted.role }),
  };
}
