import { isSameAddress } from './email-address.ts';
import type { Role } from './role.ts';

/** Why a change ends all earlier access, and with it the account's access period. */
export type AccessEnd =
  'user_demoted' | 'user_deleted' | 'password_changed' | 'password_reset' | 'logged_out_everywhere' | 'email_undone';

/** A change to a user: the fields that change. A new password and a deletion always end access. */
export type UserChange = {
  /** Another spelling of the address, or another address that was confirmed by a link mailed to it. */
  email?: string;
  /** A new address, which is mailed a confirmation link; null cancels a pending change. */
  pendingEmail?: string | null;
  name?: string;
  role?: Role;
  /** Set when a link mailed to the address is used. */
  emailVerified?: true;
} & (
  | { endsSessions?: AccessEnd; passwordHash?: undefined; deleted?: undefined; restored?: undefined }
  | { endsSessions: AccessEnd; passwordHash?: string; deleted?: true; restored?: undefined }
  /** Reverses a user's deletion, which ended their access. */
  | { restored: true; passwordHash: string; endsSessions?: undefined; deleted?: undefined }
);

/** Whether a change gives the user an address that differs from the current one in more than its spelling. */
export function isAnotherAddress(user: { email: string }, { email }: UserChange): boolean {
  return email !== undefined && !isSameAddress(email, user.email);
}

/**
 * Returns the pending address after a change. A change that ends access, sets a password or changes the address cancels a pending address, because
 * the person who requested that address may be someone else.
 */
export function pendingEmailAfter(
  user: { email: string; pending_email: string | null },
  change: UserChange,
): string | null {
  if (change.pendingEmail !== undefined) return change.pendingEmail;
  const ends = change.endsSessions !== undefined || change.passwordHash !== undefined || isAnotherAddress(user, change);
  return ends ? null : user.pending_email;
}

/** Returns the reason recorded for the end of the confirmation link when a change cancels the pending address. */
export function pendingEmailEnd({
  passwordHash,
  endsSessions,
}: UserChange): 'password_changed' | 'change_cancelled' | 'access_ended' {
  if (passwordHash !== undefined) return 'password_changed';
  return endsSessions === undefined ? 'change_cancelled' : 'access_ended';
}
