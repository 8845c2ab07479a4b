/** Allows retries as a share of calls, so that the additional load on a failing service is limited to that share. */
export type RetryBudget = {
  /** Adds a fraction of a retry; called for each first attempt. */
  earn(): void;
  /** Whether a retry may be made; if so, deducts it. */
  spend(): boolean;
};

/**
 * A token bucket that calls fill, as in gRPC's retry throttling and Finagle's RetryBudget. It starts with `reserve` retries, which is also its
 * maximum. So a rare failure after a quiet period is retried, and accumulated retries do not burden a service during a long outage.
 */
export function createRetryBudget(share: number, reserve: number): RetryBudget {
  let balance = reserve;
  return {
    earn() {
      balance = Math.min(reserve, balance + share);
    },
    spend() {
      // shares such as 0.1 do not add up to exactly 1
      if (balance < 1 - 1e-9) return false;
      balance -= 1;
      return true;
    },
  };
}

/** The maximum pause accepted from a Retry-After: a wrong clock or a mistake in the other service must not delay work for years. */
export const longestRetryAfterMs = 600_000;

/**
 * Parses Retry-After, as seconds or an HTTP date (RFC 9110 section 10.2.3), into milliseconds from now, ten minutes at most; `undefined` when missing
 * or invalid.
 */
export function retryAfterMs(header: string | string[] | undefined, now: number = Date.now()): number | undefined {
  if (typeof header !== 'string') return undefined;
  const text = header.trim();
  if (/^\d{1,20}$/.test(text)) return Math.min(Number(text) * 1000, longestRetryAfterMs);
  const date = /^[A-Za-z]{3},? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.min(Math.max(0, date - now), longestRetryAfterMs);
}
