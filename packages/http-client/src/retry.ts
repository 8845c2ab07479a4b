/** Allows retries as a share of calls, so that a service that is down gets at most that much load on top. */
export type RetryBudget = {
  /** Each first attempt earns a share of a retry. */
  earn(): void;
  /** Whether a retry may be made; it is paid for then. */
  spend(): boolean;
};

/**
 * A bucket that calls fill, as in gRPC's retry throttling and Finagle's RetryBudget. `reserve` retries are there from the start and are the most
 * that can be saved, so that a rare failure after a quiet time is retried, and a long outage is not met with saved-up retries.
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

/** The pause before retry number `retry` (from 1), in milliseconds: exponential, half of it at random, so that clients do not come back in step. */
export function backOffMs(retry: number, baseMs: number, maxMs: number): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** (retry - 1));
  return ceiling / 2 + (Math.random() * ceiling) / 2;
}

/** The longest pause that a Retry-After is taken for: a wrong clock or a typing error at the other side must not park work for years. */
export const longestRetryAfterMs = 600_000;

/**
 * Retry-After in milliseconds from now, from seconds or an HTTP date (RFC 9110 section 10.2.3), ten minutes at most; `undefined` when missing or
 * nonsense.
 */
export function retryAfterMs(header: string | string[] | undefined, now: number = Date.now()): number | undefined {
  if (typeof header !== 'string') return undefined;
  const text = header.trim();
  if (/^\d{1,20}$/.test(text)) return Math.min(Number(text) * 1000, longestRetryAfterMs);
  const date = /^[A-Za-z]{3},? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.min(Math.max(0, date - now), longestRetryAfterMs);
}
