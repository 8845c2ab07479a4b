import type { Role } from '@taskwire/contracts';
import type { createUser } from './create-user.ts';
import { knownCallerTurn } from './hash-new-password.ts';
import type { User } from './ports/users.ts';
import { contextOf, type Caller } from './read-user.ts';
import type { StepUp } from './step-up.ts';

type AccountInput = {
  email: string;
  password: string;
  name: string;
  role: Role;
  current_password?: string | undefined;
};

/** Creates an account for another person; the contract allows only admins to do so. Creating an admin or manager requires step-up. */
export function addUser({ create, stepUp }: { create: ReturnType<typeof createUser>; stepUp: StepUp }) {
  return async (caller: Caller, { current_password: current, ...account }: AccountInput): Promise<User> => {
    const action = 'user.create';
    if (account.role !== 'member' || current !== undefined) await stepUp(caller, current, { action, subject: null });
    return await create(
      { ...account, emailVerified: false },
      { ...contextOf(caller), action },
      knownCallerTurn(caller.id),
    );
  };
}
