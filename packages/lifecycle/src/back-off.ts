/** Bounds of a back-off, in milliseconds. */
export type BackOff = { baseMs: number; capMs: number };

/**
 * Returns how long to wait after the n-th consecutive failure (counted from 1): a random time from zero to `baseMs` · 2^(n−1), at most `capMs`. Full
 * jitter spreads clients that failed together better than any alternative: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function fullJitter(failures: number, { baseMs, capMs }: BackOff): number {
  // 2^30 is beyond every cap; a larger power would only lose precision
  return Math.random() * Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 30));
}
