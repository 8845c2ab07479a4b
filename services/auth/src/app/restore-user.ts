import { randomBytes } from 'node:crypto';
import { problem } from '@taskwire/errors';
import type { Occasion } from './audit.ts';
import { provenTurn } from './hash-of-new.ts';
import type { Passwords, StoredUser, User, Users } from './ports.ts';
import { doneBy, existing, requireAdministration, toUser, type Caller } from './read-user.ts';
import type { StepUp } from './step-up.ts';

type Parts = { users: Users; passwords: Passwords };

/**
 * Brings a deleted user back as they were, but for the password: nobody knows the new one, and a link that sets another is mailed to the address.
 * A user who is not deleted is left alone.
 * @throws Problem `not_found`; `gone` when the time for it is over; `email_taken` when another account has the address.
 */
export function restoreUser({ users, passwords }: Parts) {
  return async (id: string, by: Occasion): Promise<StoredUser> => {
    const passwordHash = await passwords.hash(randomBytes(32).toString('base64url'), provenTurn(id));
    const restored = await users.restore(id, passwordHash, by);
    if (restored === 'too_late') throw problem('gone', 'The user was deleted too long ago to be restored.');
    if (restored === 'email_taken') throw addressInUse();
    return existing(restored);
  };
}

/** The same, for an admin. */
export function restoreUserByAdmin({ stepUp, ...parts }: Parts & { stepUp: StepUp }) {
  const restore = restoreUser(parts);
  return async (caller: Caller, id: string, currentPassword: string | undefined): Promise<User> => {
    requireAdministration(caller);
    await stepUp(caller, currentPassword, { action: 'user.restore', subject: { kind: 'user', id } });
    return toUser(await restore(id, doneBy(caller)));
  };
}

function addressInUse() {
  const detail =
    'Another account has the address of this user now. Delete that account or change its address, then repeat this.';
  return problem('email_taken', detail);
}
