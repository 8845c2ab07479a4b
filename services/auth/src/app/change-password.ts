import { problem } from '@taskwire/errors';
import type { Audit } from './audit.ts';
import { withAuditedRefusals } from './audited-refusals.ts';
import type { CheckPassword } from './authenticate.ts';
import { requireCurrentPassword } from './current-password.ts';
import { hashOfNew } from './hash-of-new.ts';
import type { StartSession } from './log-in.ts';
import type { Passwords, Users } from './ports.ts';
import { doneBy, existing, type Caller } from './read-user.ts';
import type { SessionTokens } from './session-tokens.ts';

type Parts = {
  users: Users;
  passwords: Passwords;
  audit: Audit;
  checkPassword: CheckPassword;
  startSession: StartSession;
};

/**
 * Sets another password. All access from before ends; the caller goes on with a new session. Of several changes at once one wins.
 * @throws Problem `wrong_password`, which counts as a failed log-in; `conflict`.
 */
export function changePassword({ users, passwords, audit, checkPassword, startSession }: Parts) {
  const requirePassword = requireCurrentPassword(checkPassword);

  async function change(caller: Caller, given: { current_password: string; new_password: string }) {
    const user = existing(await users.find(caller.id));
    const { email, name } = user;
    const { passwordHash } = await requirePassword(user, given.current_password, caller.origin);
    const hashes = {
      before: passwordHash,
      after: await hashOfNew(passwords, 'new_password', given.new_password, { email, name }),
    };
    const changed = await users.changePassword(caller.id, hashes, doneBy(caller));
    if (changed === undefined) throw problem('conflict', 'The password was changed by another request.');
    return { userId: caller.id, tokensValidAfter: changed.tokens_valid_after };
  }

  return async (caller: Caller, given: { current_password: string; new_password: string }): Promise<SessionTokens> => {
    const subject = { kind: 'user', id: caller.id } as const;
    const attempt = { ...doneBy(caller), action: 'password.change', subject } as const;
    return await withAuditedRefusals(audit, attempt, async () =>
      startSession(await change(caller, given), caller.origin),
    );
  };
}
