import type { AuditAction } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import type { AuditSubject } from '../domain/audit-context.ts';
import type { Audit } from './ports/audit.ts';
import { withAuditedRefusals } from './audited-refusals.ts';
import type { CheckPassword } from './authenticate.ts';
import { requireCurrentPassword } from './current-password.ts';
import type { Users } from './ports/users.ts';
import { contextOf, requireUser, type Caller } from './read-user.ts';

/** The caller's intended action, for the audit log if it is refused. */
type IntendedAction = { action: AuditAction; subject: AuditSubject | null };

export type StepUp = ReturnType<typeof stepUp>;

/**
 * Requires a new proof of identity before actions that a user can't undo, so that a stolen token is not enough: the caller's own password, or a
 * log-in within the last five minutes. A password that was sent is always checked. Every refusal is recorded once in the audit log.
 * @throws Problem `reauthentication_required`, `wrong_password`, `rate_limited`; `insufficient_scope` for an application that sends a password.
 */
export function stepUp({ users, checkPassword, audit }: { users: Users; checkPassword: CheckPassword; audit: Audit }) {
  const requirePassword = requireCurrentPassword(checkPassword);

  return async (caller: Caller, password: string | undefined, intended: IntendedAction): Promise<void> => {
    // the HTTP layer records the refusals of both checks in the audit log, because their status is 403
    if (password === undefined) return caller.requireRecentLogin('send current_password');
    if (!caller.isFirstParty) {
      const detail = 'Applications must not send passwords of users. Request authorization again with prompt=login.';
      throw problem('insufficient_scope', detail);
    }
    await withAuditedRefusals(audit, { ...contextOf(caller), ...intended }, async () =>
      requirePassword(requireUser(await users.find(caller.id)), password, caller.origin),
    );
  };
}
