/**
 * The period in which an account's access is valid: from the account's creation, or the last event that ended all access, to the next such event (a
 * new password, a reset, logging out everywhere, a demotion, the deletion). Anything bound to both fields becomes invalid when the period ends.
 */
export type AccessPeriod = {
  userId: string;
  /** When access last ended, in ISO 8601 with microseconds; null if it never did. */
  tokensValidAfter: string | null;
};

/** The current access period of a user. */
export function accessPeriodOf(user: { id: string; tokens_valid_after: string | null }): AccessPeriod {
  return { userId: user.id, tokensValidAfter: user.tokens_valid_after };
}

/** Returns the period as input for an HMAC. Without an account, the result is a fixed text that differs from every account's period. */
export function accessPeriodText(period: AccessPeriod | undefined): string {
  return period === undefined ? 'no account' : `${period.userId}\n${period.tokensValidAfter ?? ''}`;
}
