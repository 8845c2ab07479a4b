import type { Role } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import type { AuditContext } from '../domain/audit-context.ts';
import { linkNotValid } from '../domain/account-link.ts';
import { hashNewPassword } from './hash-new-password.ts';
import type { HashTurn, Passwords } from './ports/passwords.ts';
import type { Limits } from './ports/limits.ts';
import type { User, Users } from './ports/users.ts';

type Account = {
  email: string;
  password: string;
  name: string;
  role: Role;
  emailVerified: boolean;
  /** The invitation that this account consumes. */
  invitationId?: string;
};

type Parts = { users: Users; passwords: Passwords; limits: Pick<Limits, 'causeMail'> };

/**
 * Creates an account, and requests the verification mail unless its address is already verified.
 * @throws Problem `email_taken`, `weak_password`, `rate_limited`; `link_not_valid` for an invitation that has ended in the meantime.
 */
export function createUser({ users, passwords, limits }: Parts) {
  return async (
    { password, ...account }: Account,
    context: AuditContext & { action: 'register' | 'user.create' },
    turn: HashTurn,
  ): Promise<User> => {
    // checked first because hashing is expensive; the unique index makes the final decision
    if ((await users.emailTakenBy(account.email)) !== undefined) throw emailTaken();
    if (!account.emailVerified) await limits.causeMail(context);
    const passwordHash = await hashNewPassword({ passwords, turn }, 'password', password, account);
    const created = await users.create({ ...account, passwordHash }, context);
    if (created === 'email_taken') throw emailTaken();
    if (created === 'invitation_ended') throw linkNotValid('used');
    return created;
  };
}

export function emailTaken() {
  return problem('email_taken', 'Log in, or use another e-mail address.', {
    errors: [{ field: 'email', code: 'email_taken', message: 'has an account already' }],
  });
}
