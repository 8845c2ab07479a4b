/**
 * The time for which an account's access lasts: from its beginning, or the last event that ended all access, to the next such event (another
 * password, a reset, logging out everywhere, a demotion, the deletion). What is bound to both fields is worth nothing afterwards.
 */
export type AccessPeriod = {
  userId: string;
  /** When access last ended, in ISO 8601 with microseconds; null when it never did. */
  tokensValidAfter: string | null;
};

/** The present period of a user. */
export function accessPeriodOf(user: { id: string; tokens_valid_after: string | null }): AccessPeriod {
  return { userId: user.id, tokensValidAfter: user.tokens_valid_after };
}

/** The period as text to compute an HMAC over; no account yields the text that stands for no account. */
export function accessPeriodText(period: AccessPeriod | undefined): string {
  return period === undefined ? 'nobody' : `${period.userId}\n${period.tokensValidAfter ?? ''}`;
}
