import { problem } from '@taskwire/errors';
import { accessPeriodOf } from './access-period.ts';
import type { Audit } from './audit.ts';
import { withAuditedRefusals } from './audited-refusals.ts';
import type { CheckPassword } from './authenticate.ts';
import { requireCurrentPassword } from './current-password.ts';
import type { DeviceProofs } from './device-proofs.ts';
import { hashOfNew, provenTurn } from './hash-of-new.ts';
import type { LogIn, StartSession } from './log-in.ts';
import type { Limits, Passwords, Users } from './ports.ts';
import { doneBy, existing, type Caller } from './read-user.ts';

type Parts = {
  users: Users;
  passwords: Passwords;
  audit: Audit;
  checkPassword: CheckPassword;
  startSession: StartSession;
  limits: Limits;
  deviceProofs: DeviceProofs;
};

/**
 * Changes the caller's password. All earlier access ends, and every known device and network is forgotten. The caller continues with a new session,
 * and their device and network are known again. Of several concurrent changes, one wins.
 * @throws Problem `wrong_password`, which counts as a failed log-in; `conflict`.
 */
export function changePassword(parts: Parts) {
  const { users, passwords, audit, startSession, limits, deviceProofs } = parts;
  const requirePassword = requireCurrentPassword(parts.checkPassword);

  async function change(caller: Caller, given: { current_password: string; new_password: string }) {
    const user = existing(await users.find(caller.id));
    const { email, name } = user;
    const { passwordHash } = await requirePassword(user, given.current_password, caller.origin);
    const hashing = { passwords, turn: provenTurn(caller.id) };
    const hashes = {
      before: passwordHash,
      after: await hashOfNew(hashing, 'new_password', given.new_password, { email, name }),
    };
    const changed = await users.changePassword(caller.id, hashes, doneBy(caller));
    if (changed === undefined) throw problem('conflict', 'The password was changed by another request.');
    return { email, period: accessPeriodOf(changed) };
  }

  return async (caller: Caller, given: { current_password: string; new_password: string }): Promise<LogIn> => {
    const subject = { kind: 'user', id: caller.id } as const;
    const attempt = { ...doneBy(caller), action: 'password.change', subject } as const;
    return await withAuditedRefusals(audit, attempt, async () => {
      const { email, period } = await change(caller, given);
      const tokens = await startSession(period, caller.origin);
      // known devices and networks are forgotten, except those on which the new password was chosen
      await limits.trust(caller.origin, period);
      return { tokens, deviceCookie: deviceProofs.cookieFor(period, email) };
    });
  };
}
