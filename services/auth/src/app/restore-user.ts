import { randomBytes } from 'node:crypto';
import { problem } from '@taskwire/errors';
import type { AuditContext } from '../domain/audit-context.ts';
import { knownCallerTurn } from './hash-new-password.ts';
import type { Passwords } from './ports/passwords.ts';
import type { StoredUser, User, Users } from './ports/users.ts';
import { contextOf, requireUser, requireAdministration, toUser, type Caller } from './read-user.ts';
import type { StepUp } from './step-up.ts';

type Parts = { users: Users; passwords: Passwords };

/**
 * Restores a deleted user with everything except the password. The password is replaced with one that no one knows, and a link for choosing a new one
 * is mailed to the address. A user who isn't deleted is left unchanged.
 * @throws Problem `not_found`; `gone` if the restore period is over; `email_taken` if another account has the address.
 */
export function restoreUser({ users, passwords }: Parts) {
  return async (id: string, context: AuditContext): Promise<StoredUser> => {
    const passwordHash = await passwords.hash(randomBytes(32).toString('base64url'), knownCallerTurn(id));
    const restored = await users.restore(id, passwordHash, context);
    if (restored === 'too_late') throw problem('gone', 'The user was deleted too long ago to be restored.');
    if (restored === 'email_taken') throw addressInUse();
    return requireUser(restored);
  };
}

/** Like `restoreUser`, for an admin, who has to prove their identity again. */
export function restoreUserByAdmin({ stepUp, ...parts }: Parts & { stepUp: StepUp }) {
  const restore = restoreUser(parts);
  return async (caller: Caller, id: string, currentPassword: string | undefined): Promise<User> => {
    requireAdministration(caller);
    await stepUp(caller, currentPassword, { action: 'user.restore', subject: { kind: 'user', id } });
    return toUser(await restore(id, contextOf(caller)));
  };
}

function addressInUse() {
  const detail =
    'Another account has the address of this user now. Delete that account or change its address, then repeat this.';
  return problem('email_taken', detail);
}
