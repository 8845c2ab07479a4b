import { problem } from '@taskwire/errors';
import { accessPeriodOf } from '../domain/access-period.ts';
import type { Audit } from './ports/audit.ts';
import { withAuditedRefusals } from './audited-refusals.ts';
import type { CheckPassword } from './authenticate.ts';
import { requireCurrentPassword } from './current-password.ts';
import type { DeviceCookies } from './device-cookies.ts';
import { hashNewPassword, knownCallerTurn } from './hash-new-password.ts';
import type { LogIn, StartSession } from './log-in.ts';
import type { Limits } from './ports/limits.ts';
import type { Passwords } from './ports/passwords.ts';
import type { Users } from './ports/users.ts';
import { contextOf, requireUser, type Caller } from './read-user.ts';

type Parts = {
  users: Users;
  passwords: Passwords;
  audit: Audit;
  checkPassword: CheckPassword;
  startSession: StartSession;
  limits: Limits;
  deviceCookies: DeviceCookies;
};

/**
 * Changes the caller's password. All earlier access ends, and every known device and network is forgotten. The caller continues with a new session,
 * and their device and network are known again. Of several concurrent changes, only one succeeds.
 * @throws Problem `wrong_password`, which counts as a failed log-in; `conflict`.
 */
export function changePassword(parts: Parts) {
  const { users, passwords, audit, startSession, limits, deviceCookies } = parts;
  const requirePassword = requireCurrentPassword(parts.checkPassword);

  async function change(caller: Caller, given: { current_password: string; new_password: string }) {
    const user = requireUser(await users.find(caller.id));
    const { email, name } = user;
    const { passwordHash } = await requirePassword(user, given.current_password, caller.origin);
    const hashing = { passwords, turn: knownCallerTurn(caller.id) };
    const hashes = {
      before: passwordHash,
      after: await hashNewPassword(hashing, 'new_password', given.new_password, { email, name }),
    };
    const changed = await users.changePassword(caller.id, hashes, contextOf(caller));
    if (changed === undefined) throw problem('conflict', 'The password was changed by another request.');
    return { email, period: accessPeriodOf(changed) };
  }

  return async (caller: Caller, given: { current_password: string; new_password: string }): Promise<LogIn> => {
    const subject = { kind: 'user', id: caller.id } as const;
    const attempt = { ...contextOf(caller), action: 'password.change', subject } as const;
    return await withAuditedRefusals(audit, attempt, async () => {
      const { email, period } = await change(caller, given);
      const tokens = await startSession(period, caller.origin);
      // known devices and networks are forgotten, except those on which the new password was chosen
      await limits.rememberNetwork(caller.origin, period);
      return { tokens, deviceCookie: deviceCookies.cookieFor(period, email) };
    });
  };
}
