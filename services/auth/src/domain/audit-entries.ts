import { isSameAddress } from './email-address.ts';
import type { Role } from './role.ts';
import type { AccessEnd, UserChange } from './user-change.ts';

/** The actions of the audit log with which a change to a user can be recorded. */
type UserAction =
  | 'user.delete'
  | 'user.restore'
  | 'user.change'
  | 'role.change'
  | 'password.change'
  | 'password.reset'
  | 'sessions.end'
  | 'email.change'
  | 'email.change.request'
  | 'email.change.cancel'
  | 'email.change.undo'
  | 'email.verify';

/** The event that ended access, unless another entry records it. */
const endings: Partial<Record<AccessEnd, UserAction>> = {
  password_changed: 'password.change',
  password_reset: 'password.reset',
  logged_out_everywhere: 'sessions.end',
  email_undone: 'email.change.undo',
};

/** Returns the audit entries for a change to a user. They omit the new values: names and addresses don't belong in the log. */
export function auditEntriesOf(
  before: { role: Role; email: string },
  { deleted, restored, role, name, email, pendingEmail, emailVerified, endsSessions }: UserChange,
): { action: UserAction; reason?: string }[] {
  if (deleted === true) return [{ action: 'user.delete' }];
  if (restored === true) return [{ action: 'user.restore' }];
  const ending = endsSessions && endings[endsSessions];
  const isMove = email !== undefined && !isSameAddress(email, before.email);
  const changed = { name, email: isMove ? undefined : email };
  const fields = Object.entries(changed).flatMap(([field, value]) => (value === undefined ? [] : [field]));
  return [
    ...(role === undefined ? [] : [{ action: 'role.change' as const, reason: `${before.role} to ${role}` }]),
    ...(ending === undefined ? [] : [{ action: ending }]),
    ...(pendingEmail === undefined ? [] : [{ action: pendingAction(pendingEmail) }]),
    ...(isMove && endsSessions === undefined ? [{ action: 'email.change' as const }] : []),
    ...(emailVerified === undefined ? [] : [{ action: 'email.verify' as const }]),
    ...(fields.length === 0 ? [] : [{ action: 'user.change' as const, reason: fields.join(', ') }]),
  ];
}

function pendingAction(pendingEmail: string | null): UserAction {
  return pendingEmail === null ? 'email.change.cancel' : 'email.change.request';
}
