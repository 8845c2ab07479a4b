import { problem } from '@taskwire/errors';
import type { RequestOrigin } from '../domain/audit-context.ts';
import type { CheckPassword } from './authenticate.ts';
import type { Credentials } from './ports/users.ts';

/**
 * Returns the credentials of an account to a caller who knows its password; a wrong password counts as a failed log-in.
 * @throws Problem `current_password_required` without a password, `wrong_password`, `rate_limited`.
 */
export function requireCurrentPassword(checkPassword: CheckPassword) {
  return async (
    { id, email }: { id: string; email: string },
    password: string | undefined,
    origin: RequestOrigin,
  ): Promise<Credentials> => {
    if (password === undefined) throw currentPasswordRequired();
    const { matches, account } = await checkPassword({ email, password }, origin);
    if (!matches || account.userId !== id) throw wrongPassword();
    return account;
  };
}

export function currentPasswordRequired() {
  return problem('current_password_required', 'Send the password of the account as current_password.', {
    errors: [{ field: 'current_password', code: 'current_password_required', message: 'is required for this change' }],
  });
}

function wrongPassword() {
  return problem('wrong_password', 'Check the current password.', {
    errors: [{ field: 'current_password', code: 'wrong_password', message: 'is not the password of this account' }],
  });
}
